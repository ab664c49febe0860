// @ts-check
/**
 * The hijack: a page from elsewhere uses the session that the viewer has with a bank.
 *
 * What to look at: which of the three ways of the foreign page (attacker.js) comes through, and which protection stops
 * it. The bank is a toy below `/demos/hijack/` that knows only the accounts of this demo. The lanes differ because the
 * ways do: each mark is one answer that a page could read, each cross one that it could not.
 */

import { hangUp } from "../frame/bare.js";
import { Demo, find } from "../frame/demo.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {"read" | "anonymous" | "blocked"} Outcome */
/** @typedef {Record<string, Record<Outcome, number>>} Score for each way, how often what came of it */

const OWN = "own";
const WAYS = [
  { key: "fetch", title: "fetch", look: /** @type {const} */ ("other") },
  { key: "sse", title: "EventSource" },
  { key: "websocket", title: "WebSocket" },
];
const LANES = [...WAYS, { key: OWN, title: "Your own page", look: /** @type {const} */ ("other") }];

/** How many tries of each way it takes before the page says what came of them. */
const ENOUGH = 4;

/** What came of a try, in words. @type {Record<Outcome, string>} */
const WORDS = { read: "read it", anonymous: "knows nobody", blocked: "stopped" };

/**
 * How each outcome is drawn; what has a label is drawn large.
 *
 * @type {Record<Outcome, Partial<import("../frame/lanes.js").Mark>>}
 */
const MARKS = { read: { label: "€" }, anonymous: { label: "?", tone: "quiet" }, blocked: { label: " ", tone: "lost" } };

const STOP_IT = "Turn the knobs: what stops the attack, and what does not?";

const NOT_KEPT = "Your browser did not keep this cookie: with SameSite=None it must come over TLS, or from this machine.";

const ACCOUNT = "Ada";

const bank = {
  address: find('[data-window="bank"] .address', HTMLElement),
  account: find('[data-window="bank"] .account', HTMLElement),
  balance: find('[data-window="bank"] .balance', HTMLElement),
};
const attacker = {
  address: find('[data-window="attacker"] .address', HTMLElement),
  frame: find('[data-window="attacker"] .frame', HTMLElement),
};
const table = find(".results tbody", HTMLElement);

/** What the demo does until a knob is turned or the demo ends. @type {AbortController | undefined} */ let scene;
/** What was tried, by how the knobs stood. @type {Map<string, Score>} */ let tried = new Map();
let isRevealed = false;

new Demo({ name: "hijack", isTimed: false, lanes: LANES, seconds: 15 })
  .knob("check", (_, run) => playAnew(run))
  .knob("same_site", (_, run) => playAnew(run))
  .knob("from", (_, run) => playAnew(run))
  .start(async (run) => {
    tried = new Map();
    isRevealed = false;
    run.signal.addEventListener("abort", () => scene?.abort());
    addEventListener("message", (event) => hearAttacker(run, event), { signal: run.signal });
    await play(run);
  });

/** A turned knob begins a new scene. @param {Run} run */
function playAnew(run) {
  if (scene && !scene.signal.aborted) return play(run);
}

/** The viewer logs in, and then meets the foreign page. @param {Run} run */
async function play(run) {
  scene?.abort();
  const { signal } = (scene = new AbortController());
  const check = run.value("check");
  const band = check === "none" ? null : run.lanes.band({ label: `check: ${check}` });
  signal.addEventListener("abort", () => band?.end());
  bank.address.textContent = location.origin;

  const token = await logIn(run);
  if (signal.aborted) return;
  bank.account.textContent = token ? `logged in as ${ACCOUNT}` : "not logged in";
  bank.balance.textContent = "–";
  if (!token) return run.say(NOT_KEPT);
  run.say(isRevealed ? STOP_IT : "You are logged in, and a foreign page is open.");
  openOwnSocket(run, signal, token);
  openAttacker(run, signal);
}

/**
 * Logs in, and sees whether the browser kept the cookie.
 *
 * @param {Run} run
 * @returns {Promise<string | null>} the token, if it did
 */
async function logIn(run) {
  const { signal } = run;
  const login = run.direct(`demos/hijack/login?account=${ACCOUNT}&same_site=${run.value("same_site")}`);
  const { token } = await (await fetch(login, { method: "POST", signal })).json();
  const known = await (await fetch(run.direct("demos/hijack/account"), { signal })).json();
  return known.token === token ? token : null;
}

/** What the bank's own page does: it has the token. @param {Run} run @param {AbortSignal} signal @param {string} token */
function openOwnSocket(run, signal, token) {
  const check = run.value("check");
  const url = run.direct(`demos/hijack/ws?check=${check}${check === "token" ? `&token=${token}` : ""}`);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  const leave = () => hangUp(socket);
  signal.addEventListener("abort", leave);
  socket.onmessage = ({ data }) => {
    const { balance, cookie } = JSON.parse(data);
    if (signal.aborted) return;
    bank.balance.textContent = cookie ? `${balance.toLocaleString("en")} €` : "–";
    note(run, OWN, cookie ? "read" : "anonymous");
  };
  socket.onclose = ({ code }) => {
    signal.removeEventListener("abort", leave);
    if (signal.aborted) return;
    if (code === 1006) note(run, OWN, "blocked");
    else openOwnSocket(run, signal, token); // the bank ends a visit after a while
  };
}

/** Opens the foreign page in a frame. @param {Run} run @param {AbortSignal} signal */
function openAttacker(run, signal) {
  const origin = new URL(run.link.lab);
  const frame = document.createElement("iframe");
  frame.title = "The foreign page";
  if (run.value("from") === "site") {
    const other = { localhost: "127.0.0.1", "127.0.0.1": "localhost" }[origin.hostname];
    if (other) origin.hostname = other;
    else frame.setAttribute("sandbox", "allow-scripts");
  }
  const page = new URL("demos/hijack/attacker.html", origin);
  page.searchParams.set("bank", String(run.direct("")));
  page.searchParams.set("check", run.value("check"));
  frame.src = String(page);
  attacker.address.textContent = frame.hasAttribute("sandbox") ? "sandboxed, without an origin" : page.origin;
  attacker.frame.replaceChildren(frame);
  signal.addEventListener("abort", () => frame.remove());
}

/** @param {Run} run @param {MessageEvent} event */
function hearAttacker(run, event) {
  const frame = attacker.frame.querySelector("iframe");
  if (!frame || event.source !== frame.contentWindow) return;
  const { way, outcome } = event.data;
  if (WAYS.some(({ key }) => key === way) && outcome in WORDS) note(run, way, outcome);
}

/** What came of one try. @param {Run} run @param {string} way @param {Outcome} outcome */
function note(run, way, outcome) {
  const [from, sameSite, check] = ["from", "same_site", "check"].map((name) => run.value(name));
  const score = scoreOf(`${from} ${sameSite} ${check}`);
  score[way][outcome]++;
  run.samples.add({ way, outcome, from, same_site: sameSite, check });

  const { read, anonymous, blocked } = score[way];
  const isOwn = way === OWN;
  run.lanes.mark(way, MARKS[outcome]);
  if (outcome === "read") run.lanes.state(way, isOwn ? "open" : "retrying", "reads the balance");
  else run.lanes.state(way, "refused", WORDS[outcome]);
  run.lanes.number(way, `${read} of ${read + anonymous + blocked}`, "tries came through");
  showTable();
  reveal(run, score);
}

/** @param {string} settings @returns {Score} */
function scoreOf(settings) {
  const score = tried.get(settings) ?? Object.fromEntries(LANES.map(({ key }) => [key, { read: 0, anonymous: 0, blocked: 0 }]));
  tried.set(settings, score);
  return score;
}

/** Once, for the knobs as they stood when each way had been tried often enough. @param {Run} run @param {Score} score */
function reveal(run, score) {
  const tries = WAYS.map(({ key, title }) => ({ key, title, ...score[key] }));
  const counted = tries.map((way) => ({ ...way, n: way.read + way.anonymous + way.blocked }));
  if (isRevealed || counted.some(({ n }) => n < ENOUGH)) return;
  isRevealed = run.isAsBet("check", "same_site", "from");
  const told = counted.map(({ title, read, n }) => `${title} ${read} of ${n}`).join(", ");
  const truth = counted.filter(({ read }) => read > 0).map(({ key }) => key).join("+");
  const text = `How often the foreign page read your balance: ${told}. ${STOP_IT}`;
  if (isRevealed) run.reveal(truth, text);
  else run.tell(text);
  run.say(STOP_IT);
}

/** One row for each way in which the knobs stood, the newest first. */
function showTable() {
  const rows = [...tried].reverse().map(([settings, score]) => {
    const row = document.createElement("tr");
    const values = settings.split(" ");
    ["from", "same_site", "check"].forEach((knob, index) => row.append(cell(wordsOf(knob, values[index]))));
    for (const { key } of LANES) row.append(cell(...verdict(score[key], key === OWN)));
    return row;
  });
  table.replaceChildren(...rows);
}

/** What a knob says of a value. @param {string} knob @param {string} value */
function wordsOf(knob, value) {
  return find(`.knobs [name="${knob}"] option[value="${value}"]`, HTMLOptionElement).text;
}

/** @param {Record<Outcome, number>} tries @param {boolean} isOwn @returns {[string, string]} what to say, and how it looks */
function verdict({ read, anonymous, blocked }, isOwn) {
  if (read > 0) return [`${WORDS.read} (${read})`, isOwn ? "blocked" : "read"];
  if (anonymous > 0) return [`${WORDS.anonymous} (${anonymous})`, isOwn ? "read" : "blocked"];
  return blocked > 0 ? [`${WORDS.blocked} (${blocked})`, isOwn ? "read" : "blocked"] : ["–", ""];
}

/** @param {string} text @param {string} [look] */
function cell(text, look = "") {
  return Object.assign(document.createElement("td"), { textContent: text, className: look });
}
