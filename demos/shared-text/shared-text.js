// @ts-check
/**
 * Shared text: three people type at one place, over three transports, and the text is kept in two ways.
 *
 * What to look at: the page compares what the three screens show when all is quiet, and counts the letters that were
 * typed and those that are there. How a screen works is in editor.js, and why letters find their place in sequence.js.
 */

import { now } from "../frame/clock.js";
import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { inMs, summarize } from "../frame/statistics.js";
import { Editor } from "./editor.js";

/** @typedef {import("../frame/link.js").Link} Link */
/** @typedef {import("../frame/demo.js").Run} Run @typedef {import("./sequence.js").Id} Id */

/** When nothing has changed for two round trips and this much more, all has arrived, in ms. */
const QUIET = 500;

/** A text as long as this is wiped before the three type again, in letters. */
const LONG = 200;

/** With so many letters, deleted ones included, a room has served its time. */
const TOO_LONG = 20_000;

const SENTENCES = ["Ada likes green tea. ", "Ben drinks it black. ", "Cleo takes milk in. "];

/** @type {Editor[]} */ let editors = [];
/** When each letter was typed at this page, by its name. @type {Map<string, number>} */ let typedAt = new Map();
/** How long letters took until another screen showed them, by their writer. @type {Map<string, number[]>} */
let times = new Map();
/** What is looked at: since when letters are counted. */
let round = { typed: /** @type {Id[]} */ ([]), lettersBefore: 0, wholeBefore: 0, isJudged: true };
/** Whether the three are typing. */ let isPerforming = false;

/** The lines of this run. @type {Set<Link>} */ const links = new Set();
/** @type {{ end: () => void } | undefined} */ let band;

const demo = new Demo({
  name: "shared-text",
  room: true,
  unit: "ms",
  seconds: 20,
  lanes: TRANSPORTS.map(({ key }) => ({ key, title: `${headOf(key, "h3")}'s letters: ${headOf(key, "p")}` })),
});

demo
  .knob("delay", breakLines)
  .knob("cut", async (cut, run) => {
    await breakLines();
    band?.end();
    band = cut ? run.lanes.band({ label: "cable cut", lane: "sse" }) : undefined;
  })
  .start(async (run) => {
    typedAt = new Map();
    times = new Map(TRANSPORTS.map(({ key }) => [key, []]));
    editors = [];
    round = { typed: [], lettersBefore: 0, wholeBefore: 0, isJudged: true };
    const seats = TRANSPORTS.map(({ key }) => {
      return { transport: /** @type {any} */ (key), link: key === "websocket" ? run.link : run.addLink(key), site: randomSite() };
    });
    const colors = new Map(seats.map(({ transport, site }) => [site, transport]));
    for (const { link } of seats) links.add(link);
    await breakLines();
    for (const seat of seats) addEditor(run, seat, colors);
    bindButton(run);
    run.every(250, () => compare(run));
    run.signal.addEventListener("abort", () => links.clear());
    void perform(run).catch(() => {}); // it ends with the run
  });

/** What stands above an editor. @param {string} transport @param {"h3" | "p"} part */
function headOf(transport, part) {
  return find(`[data-editor="${transport}"] ${part}`, HTMLElement).textContent;
}

/** Makes the lines as the knobs say. Everybody has one of their own, so that one can be cut. */
async function breakLines() {
  const latency_ms = demo.value("delay");
  const cut = demo.value("cut") ? { after_ms: 0, how: "rst" } : undefined;
  await Promise.all([...links].map((link) => link.suffer({ latency_ms, cut: link.name.endsWith("-sse") ? cut : undefined })));
}

function randomSite() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

/** @param {Run} run @param {{ transport: any, link: Link, site: number }} seat @param {Map<number, string>} colors */
function addEditor(run, seat, colors) {
  const editor = new Editor(run, seat, colors);
  editor.onTyped = (letters) => {
    round.typed.push(...letters);
    for (const { clock, site } of letters) typedAt.set(`${clock}.${site}`, now());
  };
  editor.onLetters = (letters) => measure(run, editor, letters);
  editors.push(editor);
}

/** @param {Run} run @param {Editor} editor @param {Id[]} letters that it shows from now on */
function measure(run, editor, letters) {
  for (const { clock, site } of letters) {
    const typed = typedAt.get(`${clock}.${site}`);
    const writer = editors.find((editor) => editor.site === site)?.transport;
    if (typed === undefined || !writer) continue;
    const latency = now() - typed;
    const values = /** @type {number[]} */ (times.get(writer));
    values.push(latency);
    const { n, median } = summarize(values);
    run.lanes.mark(writer, { value: latency });
    run.lanes.number(writer, inMs(median), `until another sees it, median of ${n}`);
    const conditions = { delay_ms: run.value("delay"), cut: run.value("cut") };
    run.samples.add({ writer, screen: editor.transport, clock, site, latency_ms: latency, ...conditions });
  }
  const { size, waiting } = editor.sequence;
  if (size + waiting > TOO_LONG) demo.stop("this text has become too long: choose another ?room=");
}

// --- the three type ---

/** @param {Run} run */
function bindButton(run) {
  const button = find("#again", HTMLButtonElement);
  button.disabled = false;
  button.addEventListener("click", () => void perform(run).catch(() => {}), { signal: run.signal });
  run.signal.addEventListener("abort", () => (button.disabled = true));
}

/** All type at the same place, as far as each of them knows. @param {Run} run */
async function perform(run) {
  if (isPerforming) return;
  isPerforming = true;
  run.signal.addEventListener("abort", () => (isPerforming = false), { once: true });
  while (!editors.some(({ isOpen }) => isOpen) || !isSettled()) await run.wait(100);
  const [first] = editors;
  if (first.sequence.letters.length > LONG) {
    first.wipe();
    await run.wait(100);
    while (!isSettled()) await run.wait(100);
  }
  const [lettersBefore, wholeBefore] = [first.sequence.letters.length, Array.from(first.whole).length];
  round = { typed: [], lettersBefore, wholeBefore, isJudged: false };
  await Promise.all(editors.map((editor, index) => typeSentence(run, editor, SENTENCES[index])));
  isPerforming = false;
}

/** @param {Run} run @param {Editor} editor @param {string} sentence */
async function typeSentence(run, editor, sentence) {
  const { sequence } = editor;
  let anchor = sequence.anchor(sequence.letters.length);
  for (const letter of sentence) {
    const place = sequence.placeOf(anchor);
    editor.type(place, 0, letter);
    anchor = sequence.anchor(place + 1);
    await run.wait(1_000 / run.value("letters"));
  }
}

// --- do they agree? ---

/** Whether nothing has changed for a while, on any screen. */
function isSettled() {
  const pause = QUIET + 4 * Number(demo.value("delay"));
  return editors.every(({ changedAt, isQuiet }) => isQuiet && now() - changedAt > pause);
}

/** @param {Run} run */
function compare(run) {
  const typed = round.typed.length;
  const byLetters = {
    agree: editors.every(({ sequence }) => sequence.text === editors[0].sequence.text),
    there: round.typed.filter((id) => editors.every(({ sequence }) => sequence.has(id))).length,
    all: typed,
  };
  const byWhole = {
    agree: editors.every(({ whole }) => whole === editors[0].whole),
    there: Math.max(0, Array.from(editors[0].whole).length - round.wholeBefore),
    // A whole text does not say whose letters it has. So all count that have come, also those of other pages in this room.
    all: Math.max(typed, editors[0].sequence.letters.length - round.lettersBefore),
  };
  showVerdict("operations", byLetters);
  showVerdict("whole", byWhole);
  if (isPerforming || round.isJudged || typed === 0 || !isSettled()) return;
  round.isJudged = true;
  const truth = !byLetters.agree ? "differ" : byWhole.agree && byWhole.there >= byWhole.all ? "both" : "lost";
  const describe = (/** @type {typeof byLetters} */ { agree, there, all }) => {
    return `${agree ? "all agree" : "they differ"}, ${Math.min(there, all)} of ${all} letters are there`;
  };
  const text = `Letters inserted: ${describe(byLetters)}. Whole text: ${describe(byWhole)}.`;
  if (run.isAsBet("delay", "letters", "cut")) run.reveal(truth, text);
  else run.tell(text);
  run.say("And now: cut Ben's cable, let all three type again, and mend it.");
}

/** @param {string} kind @param {{ agree: boolean, there: number, all: number }} verdict */
function showVerdict(kind, { agree, there, all }) {
  const line = find(`[data-verdict="${kind}"]`, HTMLElement);
  const isSound = agree && there >= all;
  line.dataset.state = isPerforming || all === 0 ? "typing" : isSound ? "sound" : "broken";
  const output = /** @type {HTMLOutputElement} */ (line.querySelector("output"));
  const text = `${Math.min(there, all)} of ${all} letters, ${agree ? "the same on all three" : "not the same everywhere"}`;
  if (output.textContent !== text) output.textContent = text;
}
