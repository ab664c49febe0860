// @ts-check
/**
 * What methods, statuses, header fields, opcodes and close codes mean, and where it says so.
 *
 * @module specifications
 */

/** @typedef {{ meaning: string, source: string }} Explanation */

/** @param {string} source @param {string} meaning @returns {Explanation} */
const says = (source, meaning) => ({ meaning, source });

/** @type {Record<string, Explanation>} */
const METHODS = {
  GET: says("RFC 9110 §9.3.1", "send me what is at this address"),
  HEAD: says("RFC 9110 §9.3.2", "as GET, but the head of the answer alone"),
  POST: says("RFC 9110 §9.3.3", "take this content and do what this address does"),
  PUT: says("RFC 9110 §9.3.4", "let this content be what is at this address"),
  DELETE: says("RFC 9110 §9.3.5", "remove what is at this address"),
  CONNECT: says("RFC 9110 §9.3.6", "open a tunnel"),
  OPTIONS: says(
    "RFC 9110 §9.3.7",
    "what may be done here? A browser's preflight asks this before a request to another origin",
  ),
  TRACE: says("RFC 9110 §9.3.8", "send back what has reached you"),
};

/** @type {Record<string, Explanation>} */
const STATUSES = {
  100: says("RFC 9110 §15.2.1", "go on and send the content"),
  101: says("RFC 9110 §15.2.2", "from the next byte on, this connection speaks the protocol that `Upgrade` names"),
  103: says("RFC 8297 §2", "an early hint; the answer follows"),
  200: says("RFC 9110 §15.3.1", "it worked"),
  201: says("RFC 9110 §15.3.2", "something was made: here, a message in the channel"),
  202: says("RFC 9110 §15.3.3", "taken, but not done yet"),
  204: says("RFC 9110 §15.3.5", "it worked, and there is no content"),
  206: says("RFC 9110 §15.3.7", "a part of it"),
  301: says("RFC 9110 §15.4.2", "it has moved for good"),
  302: says("RFC 9110 §15.4.3", "it is elsewhere for now"),
  303: says("RFC 9110 §15.4.4", "look there, with GET"),
  304: says("RFC 9110 §15.4.5", "what you have is still right"),
  307: says("RFC 9110 §15.4.8", "repeat the same request there"),
  308: says("RFC 9110 §15.4.9", "repeat the same request there, from now on always"),
  400: says("RFC 9110 §15.5.1", "the request makes no sense"),
  401: says("RFC 9110 §15.5.2", "say who you are"),
  403: says("RFC 9110 §15.5.4", "understood, and refused"),
  404: says("RFC 9110 §15.5.5", "there is nothing here"),
  405: says("RFC 9110 §15.5.6", "this method is not for this address"),
  406: says("RFC 9110 §15.5.7", "not in a form that you accept"),
  408: says("RFC 9110 §15.5.9", "the request took too long to come"),
  409: says("RFC 9110 §15.5.10", "it conflicts with what is there"),
  410: says("RFC 9110 §15.5.11", "it was here and will not come back"),
  411: says("RFC 9110 §15.5.12", "say how long the content is"),
  412: says("RFC 9110 §15.5.13", "the condition does not hold"),
  413: says("RFC 9110 §15.5.14", "the content is too large"),
  414: says("RFC 9110 §15.5.15", "the address is too long"),
  415: says("RFC 9110 §15.5.16", "not this kind of content"),
  421: says("RFC 9110 §15.5.20", "this server does not speak for that host"),
  422: says("RFC 9110 §15.5.21", "well formed, and still wrong"),
  426: says("RFC 9110 §15.5.22", "only with another protocol"),
  429: says("RFC 6585 §4", "too many requests"),
  431: says("RFC 6585 §5", "the head is too large"),
  500: says("RFC 9110 §15.6.1", "the server's own fault"),
  501: says("RFC 9110 §15.6.2", "the server cannot do that"),
  502: says("RFC 9110 §15.6.3", "a proxy got no sense out of the server behind it"),
  503: says("RFC 9110 §15.6.4", "not now"),
  504: says("RFC 9110 §15.6.5", "a proxy has waited too long for the server behind it"),
  505: says("RFC 9110 §15.6.6", "not this version of HTTP"),
};

/** What the classes of statuses mean, for those that the table does not have. */
const STATUS_CLASSES = ["", "informational", "successful", "redirection", "client error", "server error"];

const FETCH = "WHATWG Fetch, CORS protocol";
const METADATA = "W3C Fetch Metadata Request Headers §2";
const CLIENT_HINTS = "W3C/WICG User-Agent Client Hints §3";

/** By their names in lower case. @type {Record<string, Explanation>} */
const HEADERS = {
  accept: says("RFC 9110 §12.5.1", "the types of content that the client can take"),
  "accept-encoding": says("RFC 9110 §12.5.3", "the compressions that the client can undo"),
  "accept-language": says("RFC 9110 §12.5.4", "the languages that the person reads"),
  "access-control-allow-credentials": says(FETCH, "pages of that origin may send cookies along"),
  "access-control-allow-headers": says(FETCH, "the header fields that a page of another origin may set"),
  "access-control-allow-methods": says(FETCH, "the methods that a page of another origin may use"),
  "access-control-allow-origin": says(FETCH, "whose pages may read this answer"),
  "access-control-expose-headers": says(FETCH, "the header fields that a page of another origin may read"),
  "access-control-max-age": says(FETCH, "for so many seconds, the browser need not ask again"),
  "access-control-request-headers": says(FETCH, "a preflight: the page wants to set these header fields"),
  "access-control-request-method": says(FETCH, "a preflight: the page wants to use this method"),
  allow: says("RFC 9110 §10.2.1", "the methods that this address understands"),
  authorization: says("RFC 9110 §11.6.2", "who the client says it is"),
  "cache-control": says(
    "RFC 9111 §5.2",
    "what caches on the way may do; `no-store` is to keep nothing, `no-transform` to change nothing",
  ),
  connection: says("RFC 9110 §7.6.1", "what concerns this connection alone, and is not passed on by proxies"),
  "content-encoding": says("RFC 9110 §8.4", "how the content is compressed"),
  "content-length": says("RFC 9110 §8.6", "how many bytes of content follow the empty line"),
  "content-type": says("RFC 9110 §8.3", "what kind of content follows"),
  cookie: says("RFC 6265 §4.2", "what this site had the browser remember"),
  date: says("RFC 9110 §6.6.1", "when the answer was made"),
  dnt: says("W3C Tracking Preference Expression §5", "do not track me"),
  etag: says("RFC 9110 §8.8.3", "the name of this version of the content"),
  expect: says("RFC 9110 §10.1.1", "the client waits for `100 Continue` before it sends the content"),
  host: says("RFC 9110 §7.2", "which of the sites of this server is meant"),
  "idempotency-key": says(
    "IETF draft-ietf-httpapi-idempotency-key-header §2",
    "a repeated request with this key does it once",
  ),
  "if-none-match": says("RFC 9110 §13.1.2", "only if it is another version than this one"),
  "keep-alive": says("RFC 2068 §19.7.1", "how long the connection stays open without a request"),
  "last-event-id": says("WHATWG HTML §9.2.4", "the last event that the client has seen: go on behind it"),
  link: says("RFC 8288 §3", 'a related address; with rel="next", where to ask next'),
  location: says("RFC 9110 §10.2.2", "where it is"),
  origin: says("RFC 6454 §7", "the site of the page that asks. A page cannot forge it"),
  pragma: says("RFC 9111 §5.4", "`no-cache`, for caches of HTTP/1.0"),
  prefer: says("RFC 7240 §2", "what the client would like; `wait` is for how long the answer may be held back"),
  "preference-applied": says("RFC 7240 §3", "which of the wishes were heard"),
  priority: says("RFC 9218 §5", "how urgent the answer is"),
  referer: says("RFC 9110 §10.1.3", "the page from which the request comes"),
  "retry-after": says("RFC 9110 §10.2.3", "when to try again"),
  "sec-ch-ua": says(CLIENT_HINTS, "the browser's brands"),
  "sec-ch-ua-mobile": says(CLIENT_HINTS, "whether it is a mobile browser"),
  "sec-ch-ua-platform": says(CLIENT_HINTS, "the operating system"),
  "sec-fetch-dest": says(METADATA, "what the answer is for"),
  "sec-fetch-mode": says(METADATA, "in which mode the browser asks"),
  "sec-fetch-site": says(METADATA, "whether the page is of the same origin or the same site"),
  "sec-fetch-storage-access": says("W3C Storage Access Headers", "whether cookies of another site could be sent"),
  "sec-fetch-user": says(METADATA, "whether a person has caused the request"),
  "sec-gpc": says("W3C Global Privacy Control §2", "do not sell or share my data"),
  "sec-websocket-accept": says(
    "RFC 6455 §11.3.3",
    "the proof that the server has read this request: SHA-1 of the key and a fixed text, in base64 (§4.2.2)",
  ),
  "sec-websocket-extensions": says("RFC 6455 §11.3.2", "extensions: offered by the client, taken by the server"),
  "sec-websocket-key": says(
    "RFC 6455 §11.3.1",
    "16 random bytes in base64. They are no secret; they make every handshake another one (§4.1)",
  ),
  "sec-websocket-protocol": says(
    "RFC 6455 §11.3.4",
    "subprotocols: offered by the client, one of them chosen by the server",
  ),
  "sec-websocket-version": says("RFC 6455 §11.3.5", "the version of the WebSocket protocol, which is 13 (§4.1)"),
  server: says("RFC 9110 §10.2.4", "the program that answers"),
  "set-cookie": says("RFC 6265 §4.1", "something for the browser to remember"),
  te: says("RFC 9110 §10.1.4", "whether the client takes trailers"),
  trailer: says("RFC 9110 §6.6.2", "the fields that follow the content"),
  "transfer-encoding": says(
    "RFC 9112 §6.1",
    "`chunked`: the content comes in chunks, each with its size before it, because its whole length is not known",
  ),
  upgrade: says("RFC 9110 §7.8", "the protocol to go on with on this connection"),
  "upgrade-insecure-requests": says("W3C Upgrade Insecure Requests §3.2", "the browser prefers encrypted addresses"),
  "user-agent": says("RFC 9110 §10.1.5", "the program that asks"),
  vary: says("RFC 9110 §12.5.5", "the header fields of the request on which the answer depends"),
  via: says("RFC 9110 §7.6.3", "the proxies on the way"),
  "www-authenticate": says("RFC 9110 §11.6.1", "how to say who you are"),
  "x-accel-buffering": says(
    "nginx, ngx_http_proxy_module: proxy_buffering",
    "`no` asks nginx not to hold the answer back",
  ),
  "x-content-type-options": says(
    "WHATWG Fetch, X-Content-Type-Options header",
    "`nosniff`: the browser must not guess another type",
  ),
  "x-fallcast-client": says("fallcast: the protocol, Publishing", "the secret name of the subscriber that publishes"),
};

/** @type {Record<number, Explanation & { name: string }>} */
const OPCODES = {
  0x0: { name: "continuation", ...says("RFC 6455 §5.4", "goes on with the message of the frames before") },
  0x1: { name: "text", ...says("RFC 6455 §5.6", "the payload is UTF-8") },
  0x2: { name: "binary", ...says("RFC 6455 §5.6", "the payload is any bytes") },
  0x8: { name: "close", ...says("RFC 6455 §5.5.1", "I am done, and send nothing more") },
  0x9: { name: "ping", ...says("RFC 6455 §5.5.2", "are you still there?") },
  0xa: { name: "pong", ...says("RFC 6455 §5.5.3", "I am, with the payload of your ping") },
};

/** @type {Record<number, Explanation>} */
const CLOSE_CODES = {
  1000: says("RFC 6455 §7.4.1", "done"),
  1001: says("RFC 6455 §7.4.1", "going away: the server stops, or the page is left"),
  1002: says("RFC 6455 §7.4.1", "that was not the WebSocket protocol"),
  1003: says("RFC 6455 §7.4.1", "this kind of data is not accepted"),
  1007: says("RFC 6455 §7.4.1", "that was not UTF-8"),
  1008: says("RFC 6455 §7.4.1", "against the rules"),
  1009: says("RFC 6455 §7.4.1", "too big"),
  1010: says("RFC 6455 §7.4.1", "the client misses an extension"),
  1011: says("RFC 6455 §7.4.1", "the server's own fault"),
  1012: says("IANA, WebSocket Close Code Number Registry", "the server restarts"),
  1013: says("IANA, WebSocket Close Code Number Registry", "try again later"),
  1014: says("IANA, WebSocket Close Code Number Registry", "a proxy got no sense out of the server behind it"),
};

/** @param {string} method @returns {Explanation} */
export function explainMethod(method) {
  return lookUp(METHODS, method) ?? says("RFC 9110 §9.1", "a method that is not among those of HTTP itself");
}

/** @param {number} status @returns {Explanation} */
export function explainStatus(status) {
  const ofClass = STATUS_CLASSES[Math.floor(status / 100)] ?? "no class that HTTP knows";
  return lookUp(STATUSES, String(status)) ?? says("RFC 9110 §15", ofClass);
}

/** @param {string} name in any case @returns {Explanation} */
export function explainHeader(name) {
  const unknown = says(
    "RFC 9110 §5.1",
    "a header field that this page does not know. Whoever does not know one ignores it",
  );
  return lookUp(HEADERS, name.toLowerCase()) ?? unknown;
}

/** @param {number} opcode @returns {Explanation & { name: string }} */
export function explainOpcode(opcode) {
  const reserved = { name: `reserved (${opcode})`, ...says("RFC 6455 §5.2", "for the future: nobody may send it yet") };
  return lookUp(OPCODES, opcode) ?? reserved;
}

/** @param {number} code @returns {Explanation} */
export function explainCloseCode(code) {
  const known = lookUp(CLOSE_CODES, code);
  if (known) return known;
  if (code >= 4000 && code <= 4999)
    return says("RFC 6455 §7.4.2", "for private use: what it means is in the fallcast protocol, Close codes");
  if (code >= 3000 && code <= 3999) return says("RFC 6455 §7.4.2", "for libraries, which register it");
  return says("RFC 6455 §7.4", "a code that nobody may send");
}

/** A table's entry, and nothing of what every object inherits. */
function lookUp(table, key) {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
