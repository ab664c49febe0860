// @ts-check
/** The tables of results: a row for each transport, named by `data-row`. */

import { find } from "./demo.js";

/**
 * Fills the cells behind the name of a row.
 *
 * @param {string} row
 * @param {(string | number)[]} cells
 */
export function fillRow(row, cells) {
  const element = find(`[data-row="${row}"]`, HTMLTableRowElement);
  const name = /** @type {Node} */ (element.firstElementChild);
  element.replaceChildren(name, ...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: String(cell) })));
}
