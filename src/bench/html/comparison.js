// @ts-check
/* The page of several reports side by side. */

/** @typedef {{ value: number, low: number, high: number, differs?: boolean }} Estimate */
/** @typedef {{ metric: string, title: string, values: (Estimate | null)[], against?: string, ratios: (Estimate | null)[] }} Line */
/** @typedef {{ name: string, transport: string, load: string, figures: Line[] }} Common */

/** @type {{ machines: any[], caveats: string[], cells: Common[], alone: string[], findings: { load: string, text: string }[] }} */
const comparison = JSON.parse(document.querySelector("#content")?.textContent ?? "");
const { machines, cells } = comparison;

const loads = [...new Set(cells.map(({ load }) => load))];
let load = loads[0];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "hexagon2", "star"];

/** The lines of one metric under the chosen load, with their cells. @param {string} metric */
function linesOf(metric) {
  return cells.filter((cell) => cell.load === load).flatMap((cell) => cell.figures.filter((line) => line.metric === metric).map((line) => ({ cell, line })));
}

/**
 * One row for each transport, in it one mark with its interval for each machine.
 *
 * @param {Colors} colors @param {{ cell: Common, line: Line }[]} lines @param {"values" | "ratios"} which
 * @param {(value: number) => string} said @param {(values: number[]) => any} axis
 * @returns {Drawing | null}
 */
function marks(colors, lines, which, said, axis) {
  const known = lines.filter(({ line }) => line[which].some((value) => value !== null));
  if (known.length === 0) return null;
  /** @type {number[]} */ const values = [];
  const spread = Math.max(machines.length - 1, 1);
  const traces = known.flatMap(({ cell, line }, row) => line[which].flatMap((estimate, machine) => {
    if (estimate === null) return [];
    values.push(estimate.value, estimate.low, estimate.high);
    const color = colors[lookOf(cell.transport).color];
    const isSame = which === "ratios" && !estimate.differs;
    return [{
      x: [estimate.value],
      y: [row + (machines.length > 1 ? (machine / spread - 0.5) * 0.56 : 0)],
      error_x: { type: "data", symmetric: false, array: [estimate.high - estimate.value], arrayminus: [estimate.value - estimate.low], color, thickness: 2.5, width: 5 },
      text: [`${cell.name} on ${machines[machine].name}<br>${said(estimate.value)} (${said(estimate.low)} to ${said(estimate.high)})${isSame ? "<br>no difference seen" : ""}`],
      hoverinfo: "text",
      mode: "markers",
      marker: { symbol: `${SYMBOLS[machine % SYMBOLS.length]}${isSame ? "-open" : ""}`, size: narrow.matches ? 9 : 13, color, line: { width: isSame ? 2.5 : 0, color } },
    }];
  }));
  const names = known.map(({ cell }) => cell.name);
  const one = which === "ratios" ? [{ type: "line", x0: 1, x1: 1, yref: "paper", y0: 0, y1: 1, line: { color: colors.ink, width: 2, dash: "dash" }, layer: "below" }] : [];
  return {
    traces,
    layout: {
      xaxis: axis(which === "ratios" ? [...values, 1] : values),
      yaxis: { tickvals: names.map((_, row) => row), ticktext: names, range: [names.length - 0.45, -0.55], showgrid: false, fixedrange: true },
      shapes: one,
    },
  };
}

const TITLES = Object.entries({
  latency_p50_ns: "Median latency",
  latency_p99_ns: "Latency, p99",
  cpu_ns_per_delivery: "Server CPU per delivery",
  bytes_per_delivery: "Bytes per delivery",
  memory_bytes_per_connection: "Server memory per connection",
  first_message_p50_ns: "Time to the first message",
});

const charts = TITLES.flatMap(([metric, title]) => {
  const { units } = METRICS[metric];
  const isTime = units === UNITS.time;
  const against = cells.flatMap(({ figures }) => figures.flatMap(({ against }) => against ?? []))[0];
  return [
    new Chart(`${title}, as measured`, "A mark for each machine, with its interval. This belongs to the machine.",
      (colors) => marks(colors, linesOf(metric), "values", (value) => figure(value, units), (values) => (isTime ? logAxis(values, units, "") : linearAxis(values, units, "")))),
    new Chart(`${title}, times ${against ?? "the first"}`, "The ratio on the same machine, in the same rounds. This carries over. Hollow: no difference seen.",
      (colors) => marks(colors, linesOf(metric), "ratios", (value) => `${times(value)} times`, (values) => logAxis(values, UNITS.count, ""))),
  ];
});

function machineTable() {
  return table([
    ["machine", "processor", "system", "made"],
    ...machines.map(({ name, processor, os, at }, index) => [make("span.of", shape(SYMBOLS[index % SYMBOLS.length], "ink"), name), processor, os, at]),
  ]);
}

function choice() {
  const picker = /** @type {HTMLSelectElement} */ (make("select", ...loads.map((name) => new Option(name, name))));
  picker.setAttribute("aria-label", "Load");
  picker.addEventListener("change", () => {
    load = picker.value;
    update();
  });
  return make("div.choice", loads.length > 1 ? picker : make("b", load ?? ""));
}

const findings = make("div");

/** Draws what is chosen. */
function update() {
  const said = comparison.findings.filter((finding) => finding.load === load).map(({ text }) => text);
  findings.replaceChildren(sentences(`With ${load}`, said) ?? "");
  for (const chart of charts) void chart.update();
}

const places = make("div.charts", ...charts.map(({ element }) => element));
places.id = "figures";
document.querySelector("#report")?.replaceChildren(
  make("header.hero", make("h1", `${machines.length} reports side by side`), make("p.lead", "Figures belong to a machine. Ratios between transports carry over.")),
  machineTable(),
  sentences("Not made in the same way", comparison.caveats) ?? "",
  sentences("Measured on one machine only", comparison.alone, "limits") ?? "",
  choice(),
  findings,
  places,
);
update();
for (const query of [matchMedia("(prefers-color-scheme: dark)"), narrow]) query.addEventListener("change", update);
new MutationObserver(update).observe(document.documentElement, { attributeFilter: ["data-theme"] });
