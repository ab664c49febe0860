// @ts-check
/**
 * Experiments with a crowd: thousands of subscribers, which no browser has. The server makes them, next to itself; a page
 * asks for one, and hears over a channel how it goes.
 *
 *     await experiment(run, { kind: "crowd", subscribers: 1000 }, (news) => {
 *       if (news.what === "point") draw(news);
 *     });
 *
 * There is one at a time, and this machine alone may start it. Everybody else watches: a class sees on its phones what its
 * teacher has started.
 */

import { connect } from "../../client/fallcast.js";

/** @typedef {import("./run.js").Run} Run */

/**
 * What is asked for: its kind, and its knobs. What is left out stands as in the bet.
 *
 * @typedef {{ kind: "crowd" | "storm" | "freeze", [knob: string]: any }} Order
 */

/**
 * What is told about an experiment: `began` with its order, `progress` in words, whatever its kind tells, and `ended`.
 *
 * @typedef {{ experiment: number, what: string, [fact: string]: any }} News
 */

/** @typedef {{ number: number, is_running: boolean, after: string, order: Order }} Newest */

/**
 * What a server offers: its limits, whether this page may start an experiment, and the newest one.
 *
 * @typedef {object} Offer
 * @property {{ subscribers: number, rate: number, seconds: number }} limits
 * @property {boolean} may_start
 * @property {string} channel
 * @property {Newest | null} experiment
 */

/** An experiment that has not come to its end; the message says why. */
export class BrokenOff extends Error {}

/**
 * Starts an experiment, or watches the one of its kind that somebody else has started. Resolves when it is complete.
 *
 * @param {Run} run ends with it
 * @param {(limits: Offer["limits"]) => Order} orderWithin what to ask for, within these limits
 * @param {(news: News, order: Order) => void} onNews is called for each piece of news, in order
 * @returns {Promise<Order>} what was asked for, by whomever
 */
export async function experiment(run, orderWithin, onNews) {
  /** @type {Offer} */ const offer = await ask(run, "GET");
  const order = orderWithin(offer.limits);
  const newest = await startOrJoin(run, offer, order);
  if (!newest) run.say("Only the machine on which the server runs starts this one. As soon as somebody does, you watch it here.");
  else if (newest.isOwn) stopWith(run, newest.number);
  else run.say("Somebody has started it already: you watch that run, with the knobs as they stand there.");
  return await follow(run, offer.channel, newest, order.kind, onNews);
}

/**
 * The experiment to watch from its beginning; none if somebody else has to start it.
 *
 * @param {Run} run
 * @param {Offer} offer
 * @param {Order} order
 * @returns {Promise<(Newest & { isOwn: boolean }) | null>}
 */
async function startOrJoin(run, { experiment, may_start }, order) {
  if (experiment?.is_running && experiment.order.kind === order.kind) return { ...experiment, isOwn: false };
  if (experiment?.is_running) throw new BrokenOff(`Another demo's experiment runs (${experiment.order.kind}). There is one at a time: try again when it is over.`);
  if (!may_start) return null;
  return { ...(await ask(run, "POST", order)), isOwn: true };
}

/**
 * Hears what is told about one experiment, or about the next one of this kind.
 *
 * @param {Run} run
 * @param {string} name of the channel
 * @param {Newest | null} newest
 * @param {string} kind
 * @param {(news: News, order: Order) => void} onNews
 * @returns {Promise<Order>}
 */
function follow(run, name, newest, kind, onNews) {
  return new Promise((resolve, reject) => {
    let [number, order] = [newest?.number, newest?.order];
    const heard = new AbortController();
    const channel = connect(run.direct(`channels/${name}`), {
      after: newest?.after ?? "end",
      signal: AbortSignal.any([run.signal, heard.signal]),
    });
    run.signal.addEventListener("abort", () => reject(run.signal.reason));
    channel.addEventListener("message", ({ data }) => {
      const news = /** @type {News} */ (data);
      if (news.what === "began" && number === undefined && news.order.kind === kind) [number, order] = [news.experiment, news.order];
      if (news.experiment !== number || !order) return;
      if (news.what === "progress") run.say(`${news.words[0].toUpperCase()}${news.words.slice(1)}.`);
      onNews(news, order);
      if (news.what !== "ended") return;
      heard.abort();
      ended.add(news.experiment);
      if (news.is_complete) resolve(order);
      else reject(new BrokenOff(`The experiment broke off: ${news.words}.`));
    });
  });
}

/** The experiments of which the end was told: nothing is left to be stopped. */
const ended = new Set();

/** Whoever has started an experiment stops it with the run. @param {Run} run @param {number} number */
function stopWith(run, number) {
  run.signal.addEventListener("abort", () => {
    // Whether it arrives or not: what nobody watches ends by itself.
    if (!ended.has(number)) void fetch(run.direct("crowd"), { method: "DELETE", keepalive: true }).catch(() => {});
  });
}

/** @param {Run} run @param {"GET" | "POST"} method @param {Order} [order] */
async function ask(run, method, order) {
  const answer = await fetch(run.direct("crowd"), { method, body: order && JSON.stringify(order), signal: run.signal, cache: "no-store" });
  const document = await answer.json();
  if (!answer.ok) throw new BrokenOff(document.detail ?? `${method} /crowd: ${answer.status}`);
  return document;
}
