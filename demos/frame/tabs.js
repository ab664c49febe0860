// @ts-check
/**
 * What tabs of one browser must know of each other. The address of a page names its run, so a copied address would make
 * two pages share one link and one channel: each would hear the other's messages, and heal what the other has broken.
 */

const tabs = new BroadcastChannel("fallcast: runs of demos");

/** How long the other tabs have time to answer, in ms. */
const PATIENCE = 100;

/** @type {string | null} */ let own = null;

tabs.addEventListener("message", ({ data }) => {
  if (own !== null && data.isRunning === own) tabs.postMessage({ runs: own });
});

/** Says which run goes on in this tab, or that none does. @param {string | null} run */
export function occupy(run) {
  own = run;
}

/** Whether a run goes on in another tab. @param {string} run @returns {Promise<boolean>} */
export function isTaken(run) {
  return new Promise((resolve) => {
    const hear = (/** @type {MessageEvent} */ { data }) => data.runs === run && answer(true);
    const answer = (/** @type {boolean} */ isRunning) => {
      tabs.removeEventListener("message", hear);
      resolve(isRunning);
    };
    tabs.addEventListener("message", hear);
    tabs.postMessage({ isRunning: run });
    setTimeout(() => answer(false), PATIENCE);
  });
}
