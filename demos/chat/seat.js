// @ts-check
/**
 * One seat in the room: a window, and a connection that uses one transport.
 *
 * What to look at: `say` shows the own message at once and sends it; the server does not send it back (`echo: false`).
 * Whatever others wrote is put into the page as text, never as HTML: in a chat, everybody writes into everybody's page.
 */

import { connect } from "../../client/fallcast.js";
import { now } from "../frame/clock.js";

/** How many lines a window keeps. */
const MOST_LINES = 60;

/** Of how many it is known what they type. */
const MOST_TYPING = 20;

/** What a name and a message may have, in letters. Others may send anything. */
const LONGEST = { name: 30, text: 200 };

/**
 * @typedef {object} Said what travels
 * @property {string} page from which page it comes
 * @property {string} seat who says it: the transport, as there is one seat for each
 * @property {string} name
 * @property {string} text
 * @property {number} t when it was said, by the clock of its page
 * @property {boolean} robot whether it belongs to the small talk of that page, which other pages don't show
 */

/** @typedef {{ member: string, as?: string, transport: string }} Member */

export class Seat {
  #element;
  #list;
  #draft;
  #button;
  #run;
  #page;
  /** @type {import("../../client/fallcast.js").Channel | null} */ #channel = null;
  /** Who is typing what, by name. @type {Map<string, string>} */ #typing = new Map();
  /** Who is here, unless nobody has told yet. @type {Map<string, Member> | null} */ #members = null;
  /** Hears what this seat hears. @type {(said: Said) => void} */ onSaid = () => {};
  /** Hears who is here, whenever that changes. @type {(members: Member[]) => void} */ onMembers = () => {};

  /**
   * @param {import("../../client/fallcast.js").Transport} transport
   * @param {import("../frame/demo.js").Run} run
   * @param {string} page this page's own name
   */
  constructor(transport, run, page) {
    this.transport = transport;
    this.#run = run;
    this.#page = page;
    this.#element = /** @type {HTMLElement} */ (document.querySelector(`[data-seat="${transport}"]`));
    this.name = String(this.#element.querySelector("h3")?.textContent);
    this.#list = /** @type {HTMLElement} */ (this.#element.querySelector("ol"));
    this.#draft = /** @type {HTMLElement} */ (this.#element.querySelector(".draft"));
    this.#button = /** @type {HTMLButtonElement} */ (this.#element.querySelector("button"));
    this.#list.replaceChildren();
    this.#button.disabled = false;
    this.#button.addEventListener("click", () => (this.#channel ? this.leave() : this.join()), { signal: run.signal });
    run.signal.addEventListener("abort", () => {
      this.#button.disabled = true;
      this.#button.textContent = "Leave";
      this.#showDraft("");
    });
    this.join();
  }

  /** Whether somebody sits here. */
  get isTaken() {
    return this.#channel !== null;
  }

  join() {
    const channel = connect(this.#run.link.url(`channels/${this.#run.channel}`), {
      transports: [this.transport],
      as: `${this.name} @${this.#page}`,
      presence: true,
      echo: false,
      signal: this.#run.signal,
    });
    this.#channel = channel;
    this.#button.textContent = "Leave";
    channel.addEventListener("state", ({ detail: { state } }) => {
      if (this.#run.signal.aborted) return;
      this.#run.lanes.state(this.transport, state === "open" ? "open" : state === "closed" ? "stopped" : "connecting", state);
    });
    channel.addEventListener("message", ({ data, message }) => this.#hear(data, message.type));
    channel.addEventListener("presence", ({ detail }) => this.#notice(detail));
  }

  /** Others are told at once, since the connection is closed in order. */
  leave() {
    this.#channel?.close();
    this.#channel = this.#members = null;
    this.#button.textContent = "Join";
    this.#line("notice", "", "You have left.");
  }

  /** @param {string} text @param {{ name?: string, robot?: boolean }} [who] */
  say(text, { name = this.name, robot = false } = {}) {
    this.#showDraft("");
    this.#line("own", name, text);
    return this.#publish("said", { page: this.#page, seat: this.transport, name, text, t: now(), robot });
  }

  /** Lets others see what is being typed. @param {string} text @param {{ name?: string, robot?: boolean }} [who] */
  type(text, { name = this.name, robot = false } = {}) {
    void this.#publish("typing", { page: this.#page, seat: this.transport, name, text, t: now(), robot });
  }

  /** Shows to the own eyes what is being typed. @param {string} text */
  compose(text) {
    this.#showDraft(text && `${text}▏`);
  }

  /** @param {string} type @param {Said} said */
  async #publish(type, said) {
    try {
      await this.#channel?.publish(said, { type });
    } catch {
      // Whoever leaves, or stops the demo, takes back what was not sent yet.
    }
  }

  /** @param {any} data @param {string} [type] */
  #hear(data, type) {
    if (typeof data?.text !== "string" || typeof data?.name !== "string") return;
    const isOurs = data.page === this.#page;
    if (data.robot && !isOurs) return;
    const said = { ...data, name: data.name.slice(0, LONGEST.name), text: data.text.slice(0, LONGEST.text) };
    if (type === "typing") this.#typing.set(said.name, said.text);
    else this.#typing.delete(said.name);
    const [oldest] = this.#typing.keys();
    if (this.#typing.size > MOST_TYPING) this.#typing.delete(oldest);
    this.#showTyping();
    if (type !== "said") return;
    this.#line(isOurs ? said.seat : "guest", said.name, said.text);
    this.onSaid(said);
  }

  /**
   * Streams tell each change. A poll that finds a change tells everybody who is here, so what has changed is worked out.
   *
   * @param {{ action: string, members?: Member[] } & Member} change
   */
  #notice(change) {
    const old = this.#members;
    const young = new Map(change.action === "here" ? change.members?.map((member) => [member.member, member]) : old);
    if (change.action === "join") young.set(change.member, change);
    if (change.action === "leave") young.delete(change.member);
    for (const [key, member] of old ? young : []) if (!old?.has(key)) this.#tell(member, `has joined (${member.transport}).`);
    for (const [key, member] of old ?? []) if (!young.has(key)) this.#tell(member, "has left.");
    this.#members = young;
    this.onMembers([...young.values()]);
  }

  /** How a member is called on this page. @param {Member} member */
  nameOf({ as = "somebody" }) {
    return as.replace(` @${this.#page}`, "").slice(0, LONGEST.name);
  }

  /** @param {Member} member @param {string} what */
  #tell(member, what) {
    this.#line("notice", "", `${this.nameOf(member)} ${what}`);
  }

  /** @param {string} kind whose line it is @param {string} name @param {string} text */
  #line(kind, name, text) {
    const line = document.createElement("li");
    line.dataset.kind = kind;
    const speaker = document.createElement("b");
    speaker.textContent = name;
    line.append(...(name ? [speaker, " "] : []), text);
    this.#list.append(line);
    while (this.#list.childElementCount > MOST_LINES) this.#list.firstElementChild?.remove();
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  #showTyping() {
    const lines = [...this.#typing].filter(([, text]) => text).slice(-3);
    this.#showDraft(lines.map(([name, text]) => `${name}: ${text}…`).join("  "));
  }

  /** @param {string} text */
  #showDraft(text) {
    this.#draft.textContent = text;
  }
}
