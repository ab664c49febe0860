// @ts-check
/*
 * Figures as people read them, in the way of the terminal's table. The scripts of this folder become one, in the order in
 * which src/bench/html.rs names them, so they import nothing from each other.
 */

/** Units with their sizes, the largest first. @typedef {[number, string][]} Units */

/** @type {Record<"time" | "bytes" | "count", Units>} */
const UNITS = {
  time: [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]],
  bytes: [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]],
  count: [[1, ""]],
};

/** The figures that are compared, with their names and units. @type {Record<string, { title: string, units: Units }>} */
const METRICS = {
  latency_p50_ns: { title: "p50", units: UNITS.time },
  latency_p99_ns: { title: "p99", units: UNITS.time },
  bytes_per_delivery: { title: "Bytes per delivery", units: UNITS.bytes },
  packets_per_delivery: { title: "Packets per delivery", units: UNITS.count },
  cpu_ns_per_delivery: { title: "Server CPU per delivery", units: UNITS.time },
  memory_bytes_per_connection: { title: "Server memory per connection", units: UNITS.bytes },
  kernel_bytes_per_connection: { title: "Kernel memory per connection", units: UNITS.bytes },
  first_message_p50_ns: { title: "Time to the first message", units: UNITS.time },
  skew_p50_ns: { title: "Fan-out skew", units: UNITS.time },
  recovery_p50_ns: { title: "Recovery after a cut", units: UNITS.time },
};

/** What stands where nothing is known. */
const NOTHING = "–";

/** @param {number} value @param {Units} units @returns {[number, string]} */
function unitOf(value, units) {
  return units.find(([size]) => Math.abs(value) >= size * 0.9995) ?? units[units.length - 1];
}

/** @param {number} value @param {number} decimals */
function fixed(value, decimals) {
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** Three digits. @param {number} value */
function decimalsOf(value) {
  return Math.abs(value) >= 99.95 || value === 0 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
}

/** A figure with its unit: 310 µs. @param {number | null | undefined} value @param {Units} units */
function figure(value, units) {
  if (value === null || value === undefined) return NOTHING;
  const [size, unit] = unitOf(value, units);
  const shown = value / size;
  return `${fixed(shown, Number.isInteger(shown) ? 0 : decimalsOf(shown))} ${unit}`.trim();
}

/** The interval of a figure, in its unit: 295–342. Empty if there is none to see. @param {{ value: number, low: number, high: number }} estimate @param {Units} units */
function interval({ value, low, high }, units) {
  const [size] = unitOf(value, units);
  const [from, to] = [low, high].map((end) => fixed(end / size, decimalsOf(value / size)));
  return from === to ? "" : `${from}–${to}`;
}

/** So many times as much. Close to 1 it has one digit more. @param {number} value */
function times(value) {
  return fixed(value, value > 0.9 && value < 1.1 ? 3 : decimalsOf(value));
}

/** A whole number. @param {number} value */
function count(value) {
  return fixed(value, 0);
}

/** A share of all, as a percentile is called: p50, p99.9. @param {number} share */
function percentile(share) {
  return `p${Number((share * 100).toFixed(6))}`;
}
