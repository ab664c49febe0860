// @ts-check
/**
 * The devices: lamps that listen, and sensors that sleep.
 *
 * What to look at: `sleepAndWake`. All that is left of a sensor while it sleeps is its cursor.
 */

import { below, listen } from "../frame/bare.js";

/** What a lamp is told. @typedef {{ number: number, on: boolean, at: number }} Command */

/**
 * @typedef {object} Device
 * @property {URL} commands the channel where its commands come from
 * @property {URL} reports the channel where it reports
 * @property {AbortSignal} signal
 * @property {(command: Command) => void} obey
 * @property {(isAwake: boolean) => void} onRadio
 */

/**
 * A lamp on the mains: it holds its connection, and hears at any time.
 *
 * @param {string} transport
 * @param {Device} device
 * @param {(phase: any, words: string) => void} onState
 */
export async function stayAwake(transport, { commands, signal, obey, onRadio }, onState) {
  onRadio(true);
  await listen(transport, commands, { signal, onMessage: obey, onState }).opened;
}

/**
 * A lamp on a battery: it reports, asks once, and sleeps.
 *
 * @param {Device} device
 * @param {() => number} period from one awakening to the next, in ms
 */
export async function sleepAndWake({ commands, reports, signal, obey, onRadio }, period) {
  /** @type {string | undefined} */ let cursor;
  for (let reading = 1; !signal.aborted; reading++) {
    const began = performance.now();
    onRadio(true);
    await report(reports, reading, signal);
    const answer = await fetch(below(commands, "poll", cursor ? { after: cursor, wait: "0" } : {}), { signal });
    const batch = await answer.json();
    onRadio(false);
    cursor = batch.cursor;
    for (const { message } of batch.events) if (message) obey(message.data);
    await sleep(began + period() - performance.now(), signal);
  }
}

/**
 * A sensor of the fleet: it reports and sleeps.
 *
 * @param {Pick<Device, "reports" | "signal" | "onRadio">} sensor
 * @param {() => number} period in ms
 */
export async function reportAndSleep({ reports, signal, onRadio }, period) {
  await sleep(Math.random() * period(), signal); // not all at once
  for (let reading = 1; !signal.aborted; reading++) {
    const began = performance.now();
    onRadio(true);
    await report(reports, reading, signal);
    onRadio(false);
    await sleep(began + period() - performance.now(), signal);
  }
}

/** A text needs no preflight, as JSON would. @param {URL} channel @param {number} reading @param {AbortSignal} signal */
async function report(channel, reading, signal) {
  const body = `reading ${reading}: ${(20 + Math.sin(reading)).toFixed(2)} °C`;
  const answer = await fetch(channel, { method: "POST", body, headers: { "Content-Type": "text/plain" }, signal });
  if (!answer.ok) throw new Error(`a report was refused: ${answer.status}`);
}

/** @param {number} ms @param {AbortSignal} signal */
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve(undefined);
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake);
  });
}
