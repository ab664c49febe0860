// @ts-check
/**
 * Reconnect storm: a server is killed, and all its clients come back by one rule.
 *
 * What to look at: how high the spikes are, and not how many there are. Each point is the number of connections that were
 * tried in a tenth of a second, those included that nobody was there to take.
 */

import { Demo, find } from "../frame/demo.js";
import { experiment } from "../frame/experiment.js";
import { Chart, extent } from "../frame/plot.js";
import { inMs } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";

/** @typedef {import("../frame/demo.js").Run} Run */

/**
 * How one rule's clients came back. Its arrays have an entry for each step.
 *
 * @typedef {object} Wave
 * @property {string} rule
 * @property {number} clients
 * @property {boolean} is_over and only then there is what follows `returns`
 * @property {number} killed_ms when the server was killed
 * @property {number | null} back_ms when it listened again
 * @property {number} step_ms
 * @property {number[]} attempts connections that were tried
 * @property {number[]} returns subscriptions that were taken up again
 * @property {number} peak
 * @property {number} peak_per_second
 * @property {number} tried
 * @property {number} missing who is not back
 * @property {number | null} away_p50_ms
 * @property {number} away_max_ms
 * @property {number | null} server_cpu_share
 * @property {{ bottleneck: string | null }} generator
 */

/** How each rule is drawn. The last one is SSE's, so it has the color of SSE; the others go over WebSocket. */
const LOOKS = [
  { rule: "at-once", title: "at once", short: "at once", color: "fault", dash: "solid" },
  { rule: "fixed", title: "each second", short: "each second", color: "muted", dash: "solid" },
  { rule: "doubling", title: "after 1, 2, 4 … s", short: "doubling", color: "ink", dash: "dash" },
  { rule: "jitter", title: "… a random part", short: "random", color: "websocket", dash: "solid" },
  { rule: "retry", title: "SSE, as told by retry:", short: "SSE", color: "sse", dash: "solid" },
];

/** The rule that the bet is about, and the number of its clients. */
const BET = { rule: "doubling", clients: 500 };

/** On a logarithmic axis nothing has no place. It is drawn here, and called 0. */
const NOTHING = 0.5;

const chart = new Chart(
  find("#waves", HTMLElement),
  { title: "Connections that are tried", x: "seconds after the crash", y: "in a tenth of a second" },
  {
    yaxis: { type: "log", tickvals: [NOTHING, 1, 10, 100, 1_000, 10_000], ticktext: ["0", "1", "10", "100", "1,000", "10,000"] },
  },
);

/** The newest wave of each rule: kept from run to run, to be compared. @type {Map<string, Wave>} */ const waves = new Map();
let conditions = "";

new Demo({ name: "storm", lanes: [], lab: false, isTimed: false, whenHidden: "go on", prepare: () => chart.prepare() }).start(async (run) => {
  const order = await experiment(run, ({ subscribers }) => within(run, subscribers), ({ what, ...facts }, order) => {
    if (what === "wave") take(run, /** @type {Wave} */ (/** @type {unknown} */ (facts)), order);
  });
  judge(run, order);
  return "The experiment is complete. Start again with another rule or outage to compare.";
});

find("#picture", HTMLButtonElement).addEventListener("click", () => void chart.save("fallcast-storm"));

/** @param {Run} run @param {number} most @returns {import("../frame/experiment.js").Order} */
function within(run, most) {
  return { kind: "storm", clients: Math.min(run.value("clients"), most), rule: run.value("rule"), down_ms: run.value("down") };
}

/** @param {Run} run @param {Wave} wave @param {import("../frame/experiment.js").Order} order */
function take(run, wave, order) {
  // Waves of another crowd, or another outage, are no comparison.
  const now = `${order.clients} ${order.down_ms}`;
  if (now !== conditions) waves.clear();
  conditions = now;
  waves.set(wave.rule, wave);
  draw(order.down_ms / 1_000);
  if (!wave.is_over) return;
  wave.attempts.forEach((attempts, step) => {
    run.samples.add({ rule: wave.rule, clients: wave.clients, since_crash_ms: step * wave.step_ms - wave.killed_ms, attempts, returns: wave.returns[step] });
  });
  const { rule, peak, peak_per_second, tried, missing, away_p50_ms, away_max_ms, server_cpu_share, generator } = wave;
  const server = server_cpu_share === null ? "–" : `${(server_cpu_share * 100).toPrecision(2)} % of a core`;
  const many = (/** @type {number} */ count) => count.toLocaleString("en");
  const last = missing > 0 ? `${many(missing)} are not back` : inMs(away_max_ms);
  const health = generator.bottleneck ? " (the generator was the bottleneck)" : "";
  fillRow(rule, [many(peak) + health, many(peak_per_second), many(tried), inMs(away_p50_ms ?? undefined), last, server]);
}

/** @param {number} down for how many seconds the server was away */
function draw(down) {
  const drawn = LOOKS.filter(({ rule }) => waves.has(rule));
  const highest = Math.max(...[...waves.values()].flatMap(({ attempts }) => attempts), 1);
  void chart.draw((colors) => [
    extent([0, 6], [NOTHING, 1_000]),
    {
      name: "no server",
      x: [0, 0, down, down],
      y: [NOTHING, highest, highest, NOTHING],
      mode: "lines",
      fill: "toself",
      line: { width: 0, color: colors.line },
    },
    ...drawn.map(({ rule, title, color, dash }) => ({ name: title, ...spikes(/** @type {Wave} */ (waves.get(rule))), line: { width: 4, color: colors[color], dash, shape: "hvh" } })),
  ]);
}

/** @param {Wave} wave */
function spikes({ attempts, step_ms, killed_ms }) {
  // What was tried before the crash are no attempts to come back, and the line ends on the ground.
  const x = [...attempts, 0].map((_, step) => ((step + 0.5) * step_ms - killed_ms) / 1_000);
  const y = [...attempts, 0].map((count) => Math.max(count, NOTHING));
  return { x, y, mode: "lines" };
}

/** @param {Run} run @param {import("../frame/experiment.js").Order} order */
function judge(run, order) {
  const wave = waves.get(BET.rule);
  const text =
    `${order.clients.toLocaleString("en")} clients. In the busiest tenth of a second tried: ${listed(({ peak }) => peak.toLocaleString("en"))}. ` +
    `The last one was back after: ${listed(({ missing, away_max_ms }) => (missing > 0 ? "more than was waited for" : inMs(away_max_ms)))}.`;
  if (wave?.is_over && order.clients === BET.clients) run.reveal(wave.peak, text);
  else run.tell(text);
}

/** The same of each rule that was tried. @param {(wave: Wave) => string} fact */
function listed(fact) {
  const parts = LOOKS.flatMap(({ rule, short }) => {
    const wave = waves.get(rule);
    return wave?.is_over ? [`${fact(wave)} (${short})`] : [];
  });
  return parts.join(", ");
}
