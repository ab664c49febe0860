/**
 * The fallcast client: one channel, whatever the network lets through.
 *
 *     import { connect } from "/client/fallcast.js";
 *
 *     const channel = connect("/channels/chat", { after: "start" });
 *     channel.addEventListener("message", (event) => console.log(event.lastEventId, event.data));
 *     const { id } = await channel.publish({ hello: 1 });
 *
 * Every transport speaks the same events and the same cursor, and the cursor is held here, not by the server. So this
 * file may race transports, change them and come back after any failure, and nothing is lost or repeated: it asks for
 * "everything after my cursor" and drops what it has seen.
 *
 * Read it from top to bottom: the channel, the race, the transports, publishing, one connection for all tabs, and the
 * small parts that they stand on. `channel.log` tells what it decided, and why.
 *
 * @module fallcast
 */
export type Transport = "websocket" | "sse" | "long-poll" | "stream" | "shared";
export type State = "connecting" | "open" | "waiting" | "paused" | "closed";
export type Options = {
    /**
     * in order of preference; WebSocket, SSE and long-polling unless given
     */
    transports?: Transport[];
    /**
     * where to begin: a cursor, `start` (the oldest message retained) or `end` (the default)
     */
    after?: string;
    /**
     * this subscriber's secret name, 16 to 64 of `A-Z a-z 0-9 _ -`; random unless given
     */
    client?: string;
    /**
     * announce me under this name
     */
    as?: string;
    /**
     * tell me who is here
     */
    presence?: boolean;
    /**
     * whether my own publications come back to me; true unless given
     */
    echo?: boolean;
    /**
     * how long a transport may be silent before the next one is tried as well: 500 ms
     */
    headStart?: number;
    /**
     * how long a whole race, or one POST, may take: 10,000 ms
     */
    patience?: number;
    /**
     * how long after a fallback the better transport is tried again: 30,000 ms; 0 is never
     */
    reprobe?: number;
    /**
     * bounds of the wait before a new race: 500 and 30,000 ms
     */
    backoff?: {
        base: number;
        cap: number;
    };
    /**
     * keep the cursor over reloads of the page, under this name in `sessionStorage`
     */
    resume?: boolean | string;
    /**
     * one connection for all tabs
     */
    shared?: boolean;
    /**
     * let go of the connection while the page is hidden
     */
    pauseWhenHidden?: boolean;
    /**
     * closes the channel
     */
    signal?: AbortSignal;
    /**
     * for a runtime that has none of its own
     */
    WebSocket?: typeof globalThis.WebSocket;
    /**
     * null reads the event stream with `fetch` instead
     */
    EventSource?: typeof globalThis.EventSource | null;
    fetch?: typeof globalThis.fetch;
};
export type Message = {
    /**
     * its cursor
     */
    id: string;
    /**
     * when it was appended, by the server's clock, in microseconds since 1970
     */
    at: number;
    /**
     * the publisher's label
     */
    type?: string;
    content_type: string;
    /**
     * a JSON value, a string, or a `Uint8Array`
     */
    data: any;
};
export type Gap = {
    after: string | null;
    resume: string;
    missed: number | null;
    reason: string;
};
export type LogEntry = {
    at: number;
    transport: Transport | null;
    what: string;
    why: string;
};
export type ChannelEvents = {
    message: MessageEvent & {
        message: Message;
    };
    /**
     * messages are missing, and no transport can bring them back
     */
    gap: CustomEvent<Gap>;
    presence: CustomEvent<any>;
    state: CustomEvent<{
        state: State;
        from: State;
        why: string;
    }>;
    transport: CustomEvent<{
        transport: Transport | null;
        from: Transport | null;
        why: string;
    }>;
    /**
     * the server lets go; the client comes back by itself
     */
    goodbye: CustomEvent<{
        reason: string;
        reconnect_ms: number;
    }>;
    log: CustomEvent<LogEntry>;
};
/**
 * @typedef {"websocket" | "sse" | "long-poll" | "stream" | "shared"} Transport `shared` is the way to another tab's
 * @typedef {"connecting" | "open" | "waiting" | "paused" | "closed"} State
 *
 * @typedef {object} Options
 * @property {Transport[]} [transports] in order of preference; WebSocket, SSE and long-polling unless given
 * @property {string} [after] where to begin: a cursor, `start` (the oldest message retained) or `end` (the default)
 * @property {string} [client] this subscriber's secret name, 16 to 64 of `A-Z a-z 0-9 _ -`; random unless given
 * @property {string} [as] announce me under this name
 * @property {boolean} [presence] tell me who is here
 * @property {boolean} [echo] whether my own publications come back to me; true unless given
 * @property {number} [headStart] how long a transport may be silent before the next one is tried as well: 500 ms
 * @property {number} [patience] how long a whole race, or one POST, may take: 10,000 ms
 * @property {number} [reprobe] how long after a fallback the better transport is tried again: 30,000 ms; 0 is never
 * @property {{ base: number, cap: number }} [backoff] bounds of the wait before a new race: 500 and 30,000 ms
 * @property {boolean | string} [resume] keep the cursor over reloads of the page, under this name in `sessionStorage`
 * @property {boolean} [shared] one connection for all tabs
 * @property {boolean} [pauseWhenHidden] let go of the connection while the page is hidden
 * @property {AbortSignal} [signal] closes the channel
 * @property {typeof globalThis.WebSocket} [WebSocket] for a runtime that has none of its own
 * @property {typeof globalThis.EventSource | null} [EventSource] null reads the event stream with `fetch` instead
 * @property {typeof globalThis.fetch} [fetch]
 *
 * @typedef {object} Message a publication, with the names of the protocol
 * @property {string} id its cursor
 * @property {number} at when it was appended, by the server's clock, in microseconds since 1970
 * @property {string} [type] the publisher's label
 * @property {string} content_type
 * @property {any} data a JSON value, a string, or a `Uint8Array`
 *
 * @typedef {{ after: string | null, resume: string, missed: number | null, reason: string }} Gap
 * @typedef {{ at: number, transport: Transport | null, what: string, why: string }} LogEntry `at` in ms since `connect`
 *
 * @typedef {object} ChannelEvents
 * @property {MessageEvent & { message: Message }} message
 * @property {CustomEvent<Gap>} gap messages are missing, and no transport can bring them back
 * @property {CustomEvent<any>} presence
 * @property {CustomEvent<{ state: State, from: State, why: string }>} state
 * @property {CustomEvent<{ transport: Transport | null, from: Transport | null, why: string }>} transport
 * @property {CustomEvent<{ reason: string, reconnect_ms: number }>} goodbye the server lets go; the client comes back by itself
 * @property {CustomEvent<LogEntry>} log
 */
/**
 * Subscribes to a channel and stays subscribed until it is closed.
 *
 * @param {string | URL} url the channel's address; its query, such as `?link=train`, travels with every request
 * @param {Options} [options]
 * @returns {Channel}
 */
export declare function connect(url: string | URL, options?: Options): Channel;
/** One subscription, over whichever transport lives. */
export declare class Channel extends EventTarget {
    #private;
    /** Every decision, the newest last. @type {LogEntry[]} */
    log: LogEntry[];
    /** What has happened so far, in numbers. */
    stats: {
        messages: number;
        duplicates: number;
        gaps: number;
        attempts: number;
        losses: number;
        moves: number;
    };
    /** The public name that others know this subscriber by. @type {string | null} */
    member: string | null;
    /**
     * @param {string | URL} url
     * @param {Options} [options]
     * @param {(name: string, body: any) => void} [tap] hears every event that counts, for whoever passes them on
     */
    constructor(url: string | URL, options?: Options, tap?: (name: string, body: any) => void);
    /** Where the channel stands. @returns {State} */
    get state(): State;
    /** What carries the channel now. @returns {Transport | null} */
    get transport(): Transport | null;
    /** The position: everything up to here has been delivered. @returns {string | null} */
    get cursor(): string | null;
    /** This subscriber's secret name. */
    get client(): string;
    /**
     * Publishes a message, once, however often it must be sent for that, and after those that were published before it. Only
     * where the server refuses some as too many (429) on a WebSocket, those under way at that moment may overtake them.
     *
     * @param {any} data a string is text, a `Uint8Array` or `ArrayBuffer` is bytes, anything else is JSON
     * @param {{ type?: string, contentType?: string, key?: string, signal?: AbortSignal }} [options]
     * @returns {Promise<{ id: string }>} rejects with a `PublishError`
     */
    publish(data: any, options?: {
        type?: string;
        contentType?: string;
        key?: string;
        signal?: AbortSignal;
    }): Promise<{
        id: string;
    }>;
    /** Ends the subscription. Publications that have no answer yet are rejected. */
    close(): void;
    /** The messages, for `for await`. Ends when the channel is closed. @returns {AsyncGenerator<Message, void>} */
    [Symbol.asyncIterator](): AsyncGenerator<Message, void>;
    /**
     * @template {keyof ChannelEvents} K
     * @param {K} type
     * @param {((event: ChannelEvents[K]) => void) | { handleEvent(event: ChannelEvents[K]): void } | null} listener
     * @param {boolean | AddEventListenerOptions} [options]
     */
    addEventListener<K extends keyof ChannelEvents>(type: K, listener: ((event: ChannelEvents[K]) => void) | {
        handleEvent(event: ChannelEvents[K]): void;
    } | null, options?: boolean | AddEventListenerOptions): void;
}
export type End = {
    why: string;
    /**
     * how long the server asks to wait, in ms
     */
    wait?: number;
    /**
     * whether trying again makes no sense
     */
    stop?: boolean;
};
export type Judge = {
    alive?: (attempt: Attempt, hello: any) => void;
    event?: (attempt: Attempt, name: string, body: any, ref?: number) => void;
    over: (attempt: Attempt, end: End) => void;
};
export type RaceEnds = {
    won: (line: Attempt, hello: any, failed: Map<Transport, string>) => void;
    /**
     * nobody lived; in ms, how long the server asked to wait
     */
    lost: (wait: number | null) => void;
    /**
     * the server said that there is no use in trying
     */
    stopped: (why: string) => void;
};
/**
 * How an attempt or a line ends.
 *
 * @typedef {object} End
 * @property {string} why
 * @property {number} [wait] how long the server asks to wait, in ms
 * @property {boolean} [stop] whether trying again makes no sense
 *
 * @typedef {object} Judge who decides what an attempt's news mean
 * @property {(attempt: Attempt, hello: any) => void} [alive]
 * @property {(attempt: Attempt, name: string, body: any, ref?: number) => void} [event]
 * @property {(attempt: Attempt, end: End) => void} over
 *
 * @typedef {object} RaceEnds how a race may end
 * @property {(line: Attempt, hello: any, failed: Map<Transport, string>) => void} won
 * @property {(wait: number | null) => void} lost nobody lived; in ms, how long the server asked to wait
 * @property {(why: string) => void} stopped the server said that there is no use in trying
 */
/** One try of one transport. From its hello on, a line. */
declare class Attempt {
    #private;
    transport: Transport;
    judge: Judge;
    beganAt: number;
    /**
     * @param {Transport} transport
     * @param {Target} target
     * @param {Judge} judge
     */
    constructor(transport: Transport, target: Target, judge: Judge);
    /** A line says something. The first thing must be hello: an open connection alone proves nothing. @param {string} name @param {any} body @param {number} [ref] */
    event(name: string, body: any, ref?: number): void;
    /** @param {End} end */
    end(end: End): void;
    get isOver(): boolean;
    /** Closes the line, whose news do not matter any more. */
    cancel(): void;
    /** Leaves the channel for good. Tells whether the server understands that by the way the line is closed. */
    leave(): boolean;
    /** Sends a publication, if this transport can. @param {Publication} publication @param {number} ref */
    publish(publication: Publication, ref: number): boolean;
}
/**
 * Where a channel is, and what every request for it carries.
 */
declare class Target {
    #private;
    options: Options;
    client: string;
    after: string;
    /** How long the server knows a publication's key, once it has told. @type {number | null} */
    keyWindow: number | null;
    /** @type {typeof globalThis.fetch} */
    fetch: typeof globalThis.fetch;
    /** How long the server is silent at most, in ms. */
    heartbeat: number;
    /** @param {URL} url @param {Options} options @param {{ client?: string, cursor?: string }} [remembered] from before a reload */
    constructor(url: URL, options: Options, { client, cursor }?: {
        client?: string;
        cursor?: string;
    });
    /** The address as the application gave it, but absolute. */
    get base(): string;
    /** Without a network a browser calls itself offline, and still reaches a server on its own machine. */
    get isLoopback(): boolean;
    /** @param {string} path @param {Record<string, string | number | undefined>} parameters */
    address(path: string, parameters: Record<string, string | number | undefined>): URL;
    /** The address of a subscription. @param {string} path @param {Record<string, string | undefined>} [more] */
    subscription(path: string, more?: Record<string, string | undefined>): URL;
    /** Where the channel stands, or null if nobody answers. @param {string} after */
    head(after: string): Promise<any>;
    /** Ends the stay in the channel at once, which otherwise ends after a grace. */
    sayGoodbye(): void;
}
export type Line = {
    close: () => void;
    leave?: () => boolean;
    publish?: (publication: Publication, ref: number) => boolean;
};
/**
 * What a close code asks of a client.
 *
 * @param {number} code
 * @returns {"stop" | "back-off" | "at-once" | "retry"}
 */
export declare function verdictOfClose(code: number): "stop" | "back-off" | "at-once" | "retry";
/** Why a publication has no id. */
export declare class PublishError extends Error {
    /** The server's problem document (RFC 9457), or null. */
    problem: any;
    /** `refused`: nothing was published. `unknown`: it may have been, and nobody can tell any more. */
    outcome: "refused" | "unknown";
    status: any;
    name: string;
    /**
     * @param {string} message
     * @param {{ problem?: any, outcome?: "refused" | "unknown" }} [more]
     */
    constructor(message: string, { problem, outcome }?: {
        problem?: any;
        outcome?: "refused" | "unknown";
    });
}
/** One message on its way to the server. Its key makes it the same message however often it is sent. */
declare class Publication {
    key: string;
    type: string | undefined;
    resolve: (answer: {
        id: string;
    }) => void;
    reject: (error: Error) => void;
    bytes: Uint8Array<ArrayBuffer> | null;
    contentType: string;
    isJson: boolean;
    text: any;
    headers: Headers;
    /** When it was first handed to the network. @type {number | null} */ firstSentAt: number | null;
    /** Whether it may have arrived without an answer. */ isUnsure: boolean;
    /** Its place among all publications. */ number: number;
    /** Ends what waits for the outcome. */ settled: AbortController;
    /**
     * @param {any} data
     * @param {{ type?: string, contentType?: string, key?: string }} options
     * @param {(answer: { id: string }) => void} resolve
     * @param {(error: Error) => void} reject
     */
    constructor(data: any, options: {
        type?: string;
        contentType?: string;
        key?: string;
    }, resolve: (answer: {
        id: string;
    }) => void, reject: (error: Error) => void);
    /** As a command over a WebSocket. */
    command(): {
        data: string;
        encoding: string;
        key: string;
        type: string | undefined;
        content_type: string;
    } | {
        encoding?: undefined;
        data: any;
        key: string;
        type: string | undefined;
        content_type: string;
    };
}
export type Port = {
    postMessage(message: any): void;
    onmessage: ((event: MessageEvent) => void) | null;
    close(): void;
};
/**
 * Compares positions: how far `a` is behind (< 0) or ahead of (> 0) `b`, or null if they belong to different logs or are
 * no cursors.
 *
 * @param {string} a
 * @param {string} b
 * @returns {number | null}
 */
export declare function compareCursors(a: string, b: string): number | null;
/**
 * How long to wait before try number `tries`, counted from 0: anything up to a bound that doubles ("full jitter"), so that
 * clients that were cut off together do not come back together.
 *
 * @param {number} tries
 * @param {{ base: number, cap: number }} bounds in ms
 * @param {() => number} [random]
 * @returns {number} in ms
 */
export declare function backoffDelay(tries: number, { base, cap }: {
    base: number;
    cap: number;
}, random?: () => number): number;
/** Splits a text that comes in pieces into lines that end with a line feed, and leaves out blank ones. */
export declare class LineParser {
    #private;
    /** @param {string} text @returns {string[]} the lines that are complete */
    feed(text: string): string[];
}
/** Reads server-sent events (WHATWG HTML §9.2.6) from text that comes in pieces. */
export declare class EventStreamParser {
    #private;
    /** The `id` of the last complete block. */
    lastEventId: string;
    /** The last valid `retry`, in ms. @type {number | null} */
    retry: number | null;
    /** @param {string} text decoded by a `TextDecoder`, which drops the byte order mark @returns {{ event: string, data: string, id: string }[]} */
    feed(text: string): {
        event: string;
        data: string;
        id: string;
    }[];
}
export {};
