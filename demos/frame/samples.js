// @ts-check
/** The raw samples of a run: what was measured, before anybody computed anything from it. */

/** How many rows are kept at most. Further ones are counted, and the file says how many are missing. */
const MOST = 200_000;

export class Samples {
  /** @type {Record<string, string | number | boolean | null>[]} */ rows = [];
  left = 0;

  /** @param {Record<string, string | number | boolean | null>} row the same columns each time */
  add(row) {
    if (this.rows.length < MOST) this.rows.push(row);
    else this.left++;
  }

  clear() {
    this.rows = [];
    this.left = 0;
  }

  /** As comma-separated values (RFC 4180), with `about` in comments above. @param {Record<string, unknown>} about */
  csv(about) {
    const columns = Object.keys(this.rows[0] ?? {});
    const cell = (/** @type {unknown} */ value) => {
      const text = String(value ?? "");
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const notes = Object.entries({ ...about, rows_left_out: this.left }).map(([name, value]) => `# ${name}: ${value}`);
    const lines = this.rows.map((row) => columns.map((column) => cell(row[column])).join(","));
    return [...notes, columns.join(","), ...lines, ""].join("\r\n");
  }

  /** @param {Record<string, unknown>} about */
  json(about) {
    return JSON.stringify({ ...about, rows_left_out: this.left, rows: this.rows });
  }
}

/**
 * Lets the browser save a text as a file.
 *
 * @param {string} name of the file
 * @param {string} text
 * @param {string} type
 */
export function save(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  // The browser has begun to read by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
