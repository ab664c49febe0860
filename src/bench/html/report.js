// @ts-check
/* The page of one report. What is shown is the load that is chosen, and of it the series that are not hidden. */

/** @typedef {{ share: number[], ns: number[] }} Curve */
/** @typedef {{ name: string, load: string, curves: Record<string, Curve>, dots: Record<string, (number | null)[]>, against: string | null, ratios: Record<string, { value: number, low: number, high: number, differs: boolean } | null> }} Drawn */
/** @typedef {Drawn & { cell: any, at: number, color: string, symbol: string, dash: string, isOpen: boolean }} Series */

const { report, cells: drawnCells } = JSON.parse(document.querySelector("#content")?.textContent ?? "");
const { made, machine, settings } = report;

/** @type {Series[]} */
const allSeries = report.cells.map((/** @type {any} */ cell, /** @type {number} */ at) => {
  const target = report.targets.findIndex((/** @type {any} */ { name }) => name === cell.target);
  const { color, symbol } = lookOf(cell.transport);
  return { ...drawnCells[at], cell, at, color, symbol: target > 0 ? `${symbol}-open` : symbol, dash: ["solid", "dash", "dot"][target] ?? "dashdot", isOpen: target > 0 };
});

const loads = [...new Set(allSeries.map(({ load }) => load))];
let load = loads[0];
/** Names of the series that are hidden. @type {Set<string>} */
const hidden = new Set();

/** The series of the chosen load that are seen and have a round that counts. */
function shown() {
  return allSeries.filter((series) => series.load === load && !hidden.has(series.name) && series.cell.summary);
}

/** The rounds of a cell that count. @param {any} cell @returns {any[]} */
function validRounds(cell) {
  return cell.rounds.filter((/** @type {any} */ { validity }) => validity.valid);
}

/** What is known of a cell, whether it counts or not. @param {any} cell */
function known(cell) {
  return cell.summary ?? cell.doubtful;
}

/* Head */

function head() {
  const cores = `${machine.cores} ${machine.cores === 1 ? "core" : "cores"}`;
  const where = [made.at.replace("T", " ").replace(/(\.\d+)?Z/, " UTC"), `${machine.processor}, ${cores}`, `${machine.os} ${machine.kernel ?? ""}`, `fallcast ${made.fallcast}`];
  return make(
    "header.hero",
    make("h1", report.question ?? "Transports compared"),
    report.prediction ? make("p.lead", make("b", "Prediction: "), report.prediction) : null,
    make("p.where", where.join(" · ")),
  );
}

function tiles() {
  const rounds = report.cells.flatMap((/** @type {any} */ cell) => cell.rounds);
  const counted = report.cells.flatMap(validRounds);
  const sum = (/** @type {string} */ field) => counted.reduce((/** @type {number} */ total, /** @type {any} */ round) => total + round[field], 0);
  const faults = ["lost", "repeated", "reordered"].map(sum);
  const isClean = faults.every((fault) => fault === 0);
  const most = Math.max(0, ...report.cells.map((/** @type {any} */ cell) => validRounds(cell).length));
  const coverage = Math.max(0, ...report.cells.map((/** @type {any} */ cell) => cell.summary?.coverage ?? 0));
  const tile = (/** @type {string} */ value, /** @type {string} */ what, look = "") => make(`li.${look || "tile"}`, make("b", value), make("span", what));
  return make(
    "ul.tiles",
    tile(count(sum("n")), "deliveries"),
    counted.length === 0
      ? tile(NOTHING, "lost / repeated / reordered")
      : tile(isClean ? "none" : faults.map(count).join(" / "), "lost / repeated / reordered", isClean ? "tile.sound" : "tile.bad"),
    tile(`${counted.length} of ${rounds.length}`, "rounds count", counted.length === rounds.length ? "tile.sound" : "tile.bad"),
    tile(coverage > 0 ? `${Math.round(coverage * 100)} %` : NOTHING, coverage > 0 ? `each interval, over ${most} rounds` : "no interval over fewer than two rounds that count"),
    tile(settings.loop === "open" ? "open loop" : "closed loop", settings.loop === "open" ? "latency from the planned time" : "hides what waits", settings.loop === "open" ? "tile" : "tile.bad"),
  );
}

/* What is chosen */

function choice() {
  const picker = /** @type {HTMLSelectElement} */ (make("select", ...loads.map((name) => new Option(name, name))));
  picker.setAttribute("aria-label", "Load");
  const chips = make("div.chips");
  const fill = () => {
    const names = allSeries.filter((series) => series.load === load);
    chips.replaceChildren(...names.map((series) => {
      const chip = /** @type {HTMLButtonElement} */ (make("button.chip", mark(series.cell.transport, series.isOpen), series.name));
      chip.type = "button";
      chip.setAttribute("aria-pressed", String(!hidden.has(series.name)));
      chip.addEventListener("click", () => {
        hidden.has(series.name) ? hidden.delete(series.name) : hidden.add(series.name);
        chip.setAttribute("aria-pressed", String(!hidden.has(series.name)));
        update();
      });
      return chip;
    }));
  };
  picker.addEventListener("change", () => {
    load = picker.value;
    fill();
    update();
  });
  fill();
  return make("div.choice", loads.length > 1 ? picker : make("b", load), chips);
}

/* The table: what was measured down, transports across. */

function figures() {
  const series = allSeries.filter((series) => series.load === load && !hidden.has(series.name));
  const compared = series.find(({ ratios }) => Object.values(ratios).some((ratio) => ratio !== null));
  const doubt = (/** @type {any} */ cell) => (cell.doubtful ? make("small.bad", "does not count") : null);
  const head = ["", ...series.map((series) => make("span.of", mark(series.cell.transport, series.isOpen), series.name, doubt(series.cell)))];
  const plain = (/** @type {string} */ title, /** @type {(summary: any) => string} */ value) =>
    [title, ...series.map(({ cell }) => (known(cell) ? make("b", value(known(cell))) : NOTHING))];
  const measured = (/** @type {string} */ key, title = METRICS[key].title) => [title, ...series.map((series) => estimateCell(series, key))];
  const rows = [
    head,
    measured("latency_p50_ns", "Latency, p50"),
    plain("p90", ({ latency }) => figure(latency.p90_ns, UNITS.time)),
    series.every(({ cell }) => !known(cell) || known(cell).latency_p99_ns) ? measured("latency_p99_ns") : plain("p99", ({ latency }) => figure(latency.p99_ns, UNITS.time)),
    plain("p99.9", ({ latency }) => figure(latency.p999_ns, UNITS.time)),
    plain("max", ({ latency }) => figure(latency.max_ns, UNITS.time)),
    plain("N", ({ totals }) => count(totals.n)),
    plain("lost / repeated / reordered", ({ totals }) => `${count(totals.lost)} / ${count(totals.repeated)} / ${count(totals.reordered)}`),
    ...["bytes_per_delivery", "packets_per_delivery", "cpu_ns_per_delivery", "memory_bytes_per_connection", "kernel_bytes_per_connection", "first_message_p50_ns", "skew_p50_ns", "recovery_p50_ns"]
      .filter((key) => series.some(({ cell }) => known(cell)?.[key]))
      .map((key) => measured(key)),
  ];
  const against = compared ? ` × compares with ${compared.against}, round by round; = means that no difference was seen.` : "";
  return make("section.figures", table(rows, "figures-of-load"), make("p.hint", `Small figures are the interval over rounds.${against}`));
}

/** A figure, its interval, and how it compares. @param {Series} series @param {string} key */
function estimateCell({ cell, ratios }, key) {
  const estimate = known(cell)?.[key];
  if (!estimate) return NOTHING;
  const { units } = METRICS[key];
  const ratio = ratios[key];
  const range = interval(estimate, units);
  return make(
    "span.estimate",
    make("b", figure(estimate.value, units)),
    range ? make("small", range) : null,
    ratio ? make(ratio.differs ? "small.times" : "small.same", ratio.differs ? `× ${times(ratio.value)}` : "=") : null,
  );
}

/* Charts */

/** Latency at each percentile. @param {Colors} colors @returns {Drawing | null} */
function percentiles(colors) {
  const series = shown();
  if (series.length === 0) return null;
  const most = Math.max(...series.map(({ cell }) => cell.summary.latency.n));
  const traces = series.flatMap((one) => {
    const n = one.cell.summary.latency.n;
    const points = one.curves.latency.ns.map((ns, at) => ({ x: Math.min(1 / (1 - one.curves.latency.share[at]), n), ns, share: one.curves.latency.share[at] }));
    const carried = points.filter(({ x }) => x <= n / 10);
    const beyond = points.slice(Math.max(carried.length - 1, 0));
    const line = (/** @type {typeof points} */ part, /** @type {object} */ look) => ({
      x: part.map(({ x }) => x),
      y: part.map(({ ns }) => ns),
      text: part.map(({ share, ns }) => `${one.name}<br>${percentile(share)}: ${figure(ns, UNITS.time)}`),
      hoverinfo: "text",
      mode: "lines",
      line: look,
    });
    return [
      line(beyond, { color: faint(colors[one.color], 0.55), width: 1.5, dash: "dot" }),
      line(carried, { color: colors[one.color], width: 3.5, dash: one.dash }),
      marksAt(one, carried, colors),
    ];
  });
  const ticks = [2, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7].filter((tick) => tick <= most);
  const values = series.flatMap(({ curves }) => curves.latency.ns);
  return {
    traces,
    layout: {
      xaxis: { type: "log", tickvals: ticks, ticktext: ticks.map((tick) => `${Number((100 - 100 / tick).toFixed(5))}${narrow.matches ? "" : " %"}`), title: narrow.matches ? "share of deliveries, %" : "share of deliveries", range: [0, Math.log10(most)] },
      yaxis: logAxis(values, UNITS.time, "latency"),
    },
  };
}

/** The shape of a series at the percentiles that have names. @param {Series} one @param {{ x: number, ns: number }[]} points @param {Colors} colors */
function marksAt(one, points, colors) {
  const at = [2, 10, 100, 1000, 10000].flatMap((x) => points.find((point) => point.x >= x * 0.999) ?? []);
  return { x: at.map(({ x }) => x), y: at.map(({ ns }) => ns), mode: "markers", hoverinfo: "skip", marker: { symbol: one.symbol, size: narrow.matches ? 9 : 13, color: colors[one.color] } };
}

/** The share of deliveries that took at most so long. @param {Colors} colors @returns {Drawing | null} */
function cumulative(colors) {
  const series = shown();
  if (series.length === 0) return null;
  const traces = series.map((one) => ({
    x: one.curves.latency.ns,
    y: one.curves.latency.share.map((share) => share * 100),
    text: one.curves.latency.share.map((share, at) => `${one.name}<br>${Number((share * 100).toFixed(3))} % within ${figure(one.curves.latency.ns[at], UNITS.time)}`),
    hoverinfo: "text",
    mode: "lines",
    line: { color: colors[one.color], width: 3.5, dash: one.dash },
  }));
  const values = series.flatMap(({ curves, cell }) => [...curves.latency.ns, cell.summary.latency.min_ns]);
  return { traces, layout: { xaxis: logAxis(values, UNITS.time, "latency"), yaxis: { range: [0, 101], ticksuffix: " %", title: "share of deliveries" } } };
}

/** Latency by the time at which messages were due. @param {Colors} colors @returns {Drawing | null} */
function overTime(colors) {
  const series = shown();
  if (series.length === 0) return null;
  /** @type {number[]} */ const values = [];
  const traces = series.flatMap((one) => ["max_ns", "p50_ns"].map((column) => {
    const isMax = column === "max_ns";
    const points = validRounds(one.cell).flatMap(({ round, timeline }) => timeline[column].flatMap((/** @type {number | null} */ ns, /** @type {number} */ step) =>
      ns === null ? [] : [{ x: ((step + 0.5) * timeline.step_ms) / 1000, ns, text: `${one.name}, round ${round}<br>${isMax ? "slowest" : "median"}: ${figure(ns, UNITS.time)}` }]));
    for (const { ns } of points) values.push(ns);
    return {
      x: points.map(({ x }) => x),
      y: points.map(({ ns }) => ns),
      text: points.map(({ text }) => text),
      hoverinfo: "text",
      mode: "markers",
      marker: isMax
        ? { symbol: one.symbol.replace(/(-open)?$/, "-open"), size: narrow.matches ? 4 : 6, color: faint(colors[one.color], 0.4) }
        : { symbol: one.symbol, size: narrow.matches ? 4.5 : 7, color: colors[one.color], opacity: 0.75 },
    };
  }));
  if (values.length === 0) return null;
  const freezes = series.flatMap(({ cell }) => validRounds(cell).flatMap(({ freeze }) => freeze ?? []));
  const band = freezes[0];
  return {
    traces,
    layout: {
      xaxis: { title: "when the message was due, in seconds", rangemode: "tozero", ticksuffix: " s" },
      yaxis: logAxis(values, UNITS.time, "latency"),
      shapes: band ? [{ type: "rect", xref: "x", yref: "paper", x0: band.at_ms / 1000, x1: (band.at_ms + band.for_ms) / 1000, y0: 0, y1: 1, fillcolor: faint(colors.signal, 0.2), line: { width: 0 }, layer: "below" }] : [],
      annotations: band ? [{ xref: "x", yref: "paper", x: (band.at_ms + band.for_ms / 2) / 1000, y: 1, yanchor: "top", text: "server stopped", showarrow: false }] : [],
    },
  };
}

/**
 * Each round a mark, the interval a band behind them, the figure of all rounds a stroke. Rounds stand one below the other
 * in their order, so that what disturbed a round is seen in all series.
 *
 * @param {Colors} colors @param {string[]} keys the metrics; the second one is drawn hollow
 * @param {{ isLog?: boolean, title: string }} look
 * @returns {Drawing | null}
 */
function byRound(colors, keys, { isLog = false, title }) {
  const series = allSeries.filter((one) => one.load === load && !hidden.has(one.name) && one.dots[keys[0]].some((value) => value !== null));
  if (series.length === 0) return null;
  const { units } = METRICS[keys[0]];
  /** @type {Record<string, any>[]} */ const shapes = [];
  /** @type {number[]} */ const values = [];
  const traces = series.flatMap((one, row) => keys.map((key, at) => {
    const estimate = one.cell.summary?.[key];
    if (estimate) {
      const color = colors[one.color];
      shapes.push({ type: "rect", x0: estimate.low, x1: estimate.high, y0: row - 0.4, y1: row + 0.4, fillcolor: faint(color, 0.2), line: { width: 0 }, layer: "below" });
      shapes.push({ type: "line", x0: estimate.value, x1: estimate.value, y0: row - 0.4, y1: row + 0.4, line: { color, width: 3 } });
      values.push(estimate.low, estimate.high, estimate.value);
    }
    const rounds = one.cell.rounds.map((/** @type {any} */ round, /** @type {number} */ index) => ({ round, value: one.dots[key][index] }))
      .filter((/** @type {{ value: number | null }} */ { value }) => value !== null && (!isLog || value > 0));
    for (const { value } of rounds) values.push(value);
    const spread = Math.max(one.cell.rounds.length - 1, 1);
    return {
      x: rounds.map((/** @type {any} */ { value }) => value),
      y: rounds.map((/** @type {any} */ { round }) => row + (one.cell.rounds.length > 1 ? ((round.round - 1) / spread - 0.5) * 0.6 : 0)),
      text: rounds.map((/** @type {any} */ { round, value }) => `${one.name}, round ${round.round}${round.validity.valid ? "" : " (does not count)"}<br>${METRICS[key].title}: ${figure(value, units)}`),
      hoverinfo: "text",
      mode: "markers",
      marker: {
        symbol: rounds.map((/** @type {any} */ { round }) => (!round.validity.valid ? "x-thin-open" : at === 0 ? one.symbol : one.symbol.replace(/(-open)?$/, "-open"))),
        size: narrow.matches ? 8 : 11,
        color: rounds.map((/** @type {any} */ { round }) => (round.validity.valid ? colors[one.color] : colors.muted)),
        line: { width: 2, color: colors[one.color] },
      },
    };
  }));
  return {
    traces,
    layout: { xaxis: (isLog ? logAxis : linearAxis)(values, units, title), yaxis: rowsAxis(series), shapes },
  };
}

/** Series one below the other. @param {Series[]} series */
function rowsAxis(series) {
  return { tickvals: series.map((_, row) => row), ticktext: series.map(({ name }) => wrapped(name)), range: [series.length - 0.45, -0.55], showgrid: false, fixedrange: true };
}

/** A name on two lines if it is long. @param {string} name */
function wrapped(name) {
  return name.length > 14 ? name.replace(/ (?=[^ ]* ?[^ ]*$)/, "<br>") : name;
}

/** Bytes of one delivery, part by part. @param {Colors} colors @returns {Drawing | null} */
function bytes(colors) {
  const series = shown().filter(({ cell }) => cell.summary.bytes_per_delivery);
  if (series.length === 0) return null;
  const parts = [
    { name: "message", color: "payload", of: (/** @type {any} */ { down }) => down.payload_bytes, pattern: "" },
    { name: "framing", color: "framing", of: (/** @type {any} */ { down, up }) => down.framing_bytes + up.framing_bytes, pattern: "/" },
    { name: "response heads", color: "header", of: (/** @type {any} */ { down }) => down.header_bytes, pattern: "x" },
    { name: "requests", color: "request", of: (/** @type {any} */ { up }) => up.request_bytes, pattern: "." },
  ];
  const per = (/** @type {Series} */ { cell }, /** @type {(bytes: any) => number} */ of) =>
    validRounds(cell).reduce((sum, { bytes }) => sum + of(bytes), 0) / cell.summary.totals.n;
  const totals = series.map(({ cell }) => cell.summary.bytes_per_delivery.value);
  const traces = parts.map(({ name, color, of, pattern }) => ({
    type: "bar",
    orientation: "h",
    name,
    x: series.map((one) => per(one, of)),
    y: series.map((_, row) => row),
    text: series.map((one) => `${one.name}, ${name}: ${figure(per(one, of), UNITS.bytes)}`),
    textposition: "none",
    hoverinfo: "text",
    marker: { color: colors[color], line: { color: colors.panel, width: 1.5 }, pattern: { shape: pattern, size: 7, solidity: 0.25, fgcolor: colors.panel, fillmode: "overlay" } },
  }));
  const axis = linearAxis(totals, UNITS.bytes, "bytes per delivery, both ways");
  return {
    traces,
    layout: {
      barmode: "stack",
      bargap: 0.35,
      showlegend: true,
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", traceorder: "normal" },
      margin: { l: 12, r: 12, t: 24, b: 12 },
      xaxis: { ...axis, range: [0, Math.max(...totals) * 1.16] },
      yaxis: rowsAxis(series),
      annotations: series.map((_, row) => ({ x: totals[row], y: row, text: ` <b>${figure(totals[row], UNITS.bytes)}</b>`, showarrow: false, xanchor: "left" })),
    },
  };
}

/** A metric against the number of subscribers, if there are several such numbers. @param {Colors} colors @param {string} key @param {string} title @returns {Drawing | null} */
function againstSubscribers(colors, key, title) {
  const { rate, size_bytes, via } = allSeries.find((series) => series.load === load)?.cell ?? {};
  const alike = allSeries.filter(({ cell, name }) => cell.rate === rate && cell.size_bytes === size_bytes && cell.via === via && !hidden.has(name) && cell.summary?.[key]);
  const counts = [...new Set(alike.map(({ cell }) => cell.subscribers))].sort((one, other) => one - other);
  if (counts.length < 2) return null;
  const traces = [...new Set(alike.map(({ name }) => name))].map((name) => {
    const line = alike.filter((series) => series.name === name).sort((one, other) => one.cell.subscribers - other.cell.subscribers);
    const estimates = line.map(({ cell }) => cell.summary[key]);
    const color = colors[line[0].color];
    return {
      x: line.map(({ cell }) => cell.subscribers),
      y: estimates.map(({ value }) => value),
      error_y: { type: "data", symmetric: false, array: estimates.map(({ value, high }) => high - value), arrayminus: estimates.map(({ value, low }) => value - low), color, thickness: 2, width: 6 },
      text: line.map(({ cell }, at) => `${name}, ${count(cell.subscribers)} subscribers<br>${figure(estimates[at].value, METRICS[key].units)}`),
      hoverinfo: "text",
      mode: "lines+markers",
      line: { color, width: 3, dash: line[0].dash },
      marker: { symbol: line[0].symbol, size: 12, color },
    };
  });
  const values = alike.flatMap(({ cell }) => [cell.summary[key].high, cell.summary[key].low]);
  return {
    traces,
    layout: {
      xaxis: { type: "log", tickvals: counts, ticktext: counts.map(count), title: "subscribers", range: [Math.log10(counts[0]) - 0.08, Math.log10(counts[counts.length - 1]) + 0.08] },
      yaxis: linearAxis(values, METRICS[key].units, title),
    },
  };
}

/** Where most values of a distribution lie. @param {Colors} colors @param {string} curve @param {string} field of the summary @param {string} title @returns {Drawing | null} */
function ranges(colors, curve, field, title) {
  const series = shown().filter(({ cell }) => cell.summary[field]?.n > 0);
  if (series.length === 0) return null;
  const at = (/** @type {Curve} */ { share, ns }, /** @type {number} */ wanted) => ns[share.findIndex((one) => one >= wanted)] ?? ns[ns.length - 1];
  /** @type {number[]} */ const values = [];
  const traces = series.flatMap((one, row) => {
    const { n, min_ns, p50_ns, max_ns } = one.cell.summary[field];
    const color = colors[one.color];
    const [low, high] = n >= 100 ? [at(one.curves[curve], 0.05), at(one.curves[curve], 0.95)] : [min_ns, max_ns];
    values.push(min_ns, max_ns);
    const text = `${one.name}: N ${count(n)}<br>min ${figure(min_ns, UNITS.time)}, median ${figure(p50_ns, UNITS.time)}, max ${figure(max_ns, UNITS.time)}`;
    const stroke = (/** @type {number[]} */ x, /** @type {object} */ line) => ({ x, y: [row, row], mode: "lines", line, hoverinfo: "skip" });
    return [
      stroke([min_ns, max_ns], { color, width: 2.5 }),
      stroke([low, high], { color: faint(color, 0.35), width: 20 }),
      { x: [p50_ns], y: [row], mode: "markers", hoverinfo: "text", text: [text], marker: { symbol: one.symbol, size: 15, color, line: { color: colors.panel, width: one.isOpen ? 0 : 2 } } },
    ];
  });
  return { traces, layout: { xaxis: logAxis(values, UNITS.time, title), yaxis: rowsAxis(series) } };
}

/** The runs of the search for the highest rate. @param {Colors} colors @returns {Drawing | null} */
function highestRates(colors) {
  const ceilings = /** @type {any[]} */ (report.ceilings ?? []);
  if (ceilings.length === 0) return null;
  const steps = ceilings.flatMap((ceiling) => ceiling.steps.filter((/** @type {any} */ { n }) => n > 0));
  const traces = ceilings.map((ceiling) => {
    const { color, symbol } = lookOf(ceiling.transport);
    const sorted = ceiling.steps.filter((/** @type {any} */ { n }) => n > 0).toSorted((/** @type {any} */ one, /** @type {any} */ other) => one.rate - other.rate);
    return {
      x: sorted.map((/** @type {any} */ { rate }) => rate),
      y: sorted.map((/** @type {any} */ { quantile_ns }) => quantile_ns),
      text: sorted.map((/** @type {any} */ { rate, quantile_ns, held, validity }) => `${ceiling.transport}, ${count(ceiling.subscribers)} subscribers, ${count(rate)}/s<br>${figure(quantile_ns, UNITS.time)}: ${held ? "kept" : validity.valid ? "not kept" : "does not count"}`),
      hoverinfo: "text",
      mode: "lines+markers",
      line: { color: faint(colors[color], 0.6), width: 2 },
      marker: { size: 12, color: colors[color], symbol: sorted.map((/** @type {any} */ { held }) => (held ? symbol : `${symbol}-open`)) },
    };
  });
  const bounds = [...new Set(ceilings.map(({ bound_ns }) => bound_ns))];
  return {
    traces,
    layout: {
      xaxis: logAxis(steps.map(({ rate }) => rate), UNITS.count, "messages per second"),
      yaxis: logAxis([...steps.map(({ quantile_ns }) => quantile_ns), ...bounds], UNITS.time, percentile(ceilings[0].quantile)),
      shapes: bounds.map((bound) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: bound, y1: bound, line: { color: colors.fault, width: 2, dash: "dash" } })),
      annotations: bounds.map((bound) => ({ xref: "paper", x: 0, xanchor: "left", y: Math.log10(bound), yanchor: "bottom", text: `bound: ${figure(bound, UNITS.time)}`, showarrow: false, font: { color: colors.fault } })),
    },
  };
}

const latencyCharts = [
  new Chart("Latency by percentile", "Each step to the right leaves a tenth of the deliveries. Dotted: fewer than ten deliveries lie beyond.", percentiles, true),
  new Chart("Latency by round", "A mark for each round, the first on top: filled p50, hollow p99. Band: interval. Stroke: all together. ×: does not count.",
    (colors) => byRound(colors, ["latency_p50_ns", "latency_p99_ns"], { isLog: true, title: "latency" })),
  new Chart("Latency, cumulative", "How many deliveries were there within a time. The steeper, the steadier.", cumulative),
  new Chart("Latency over time", "Filled: the median of each moment. Hollow: the slowest. All rounds lie over each other.", overTime, true),
];
const costCharts = [
  new Chart("Bytes per delivery", "All bytes at the subscriber's socket, shared out among deliveries.", bytes),
  new Chart("Server CPU per delivery", "A mark for each round. Band: interval. Stroke: all together. ×: does not count.",
    (colors) => byRound(colors, ["cpu_ns_per_delivery"], { title: "processor time per delivery" })),
  new Chart("Server CPU against subscribers", "Processor time per delivery. Whiskers: interval.", (colors) => againstSubscribers(colors, "cpu_ns_per_delivery", "per delivery")),
  new Chart("Memory per connection", "What the server's process holds for a connection that is idle.",
    (colors) => byRound(colors, ["memory_bytes_per_connection"], { title: "memory per connection" })),
  new Chart("Memory against subscribers", "The same, for each number of subscribers. Whiskers: interval.", (colors) => againstSubscribers(colors, "memory_bytes_per_connection", "per connection")),
];
const otherCharts = [
  new Chart("Fan-out skew", "From the first subscriber that has a message to the last. Mark: median. Bar: nine tenths of all messages. Line: all.", (colors) => ranges(colors, "skew", "skew", "skew")),
  new Chart("Time to the first message", "From the call of connect. Mark: median. Bar: nine tenths of all subscribers. Line: all.", (colors) => ranges(colors, "first_message", "first_message", "time")),
  new Chart("Recovery after a cut", "From the cut to the first new message. Mark: median. Bar: nine tenths. Line: all.", (colors) => ranges(colors, "recovery", "recovery", "time")),
  new Chart("Highest rate within the bound", "Filled: the bound was kept. Hollow: it was not, or the run does not count.", highestRates),
];
const charts = [...latencyCharts, ...costCharts, ...otherCharts];

/* Provenance */

function method() {
  const { clock } = machine;
  const shell = (/** @type {string} */ word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  return make(
    "section.method",
    make("h2", "How it was measured"),
    make("pre", make("code", made.command.map(shell).join(" "))),
    facts([
      ["Machine", `${machine.processor}, ${machine.cores} cores${machine.memory_bytes ? `, ${(machine.memory_bytes / 2 ** 30).toFixed(0)} GiB` : ""}`],
      ["System", `${machine.os} ${machine.kernel ?? ""}`],
      ["Clock", `${clock.source}, steps of ${figure(clock.resolution_ns, UNITS.time)}`],
      ["Made", `${made.at}, in ${count(made.took_s)} s${made.interrupted ? ", interrupted" : ""}`],
      ["By", `fallcast ${made.fallcast}${made.commit ? `, commit ${made.commit}` : ""}${made.rustc ? `, ${made.rustc}` : ""}${made.debug ? ", debug build" : ""}`],
      ["Rounds", `${settings.rounds} of ${settings.duration_s} s, each after ${settings.warm_up_s} s of warm-up; the order changes from round to round`],
      ["Loop", settings.loop === "open" ? "open: by a fixed schedule, latency from the planned time" : "closed: the next message waits for the last one"],
      ["Publishing", settings.publish === "post" ? "by POST, over kept connections" : "over one WebSocket"],
      ["Sockets", [`TCP_NODELAY ${settings.tcp_nodelay ? "on" : "off"}`, `keep-alive ${settings.keep_alive ? "on" : "off"}`, `TLS ${settings.tls ? "on" : "off"}`].join(", ")],
      ["Cores", settings.pinned ? "server and generator each have one of their own" : "not pinned"],
      ["Server stopped", settings.freeze_s ? `${settings.freeze_s} s in the middle of each round` : null],
      ["Seed", String(settings.seed)],
      ...report.targets.map((/** @type {any} */ { name, server, server_args = [], templates }) => [`Target ${name}`, make("span", [server, ...server_args].filter(Boolean).join(" "), make("ul.plain", ...Object.entries(templates).map(([what, path]) => make("li", `${what}: ${path}`))))]),
    ]),
    details("Every round", roundsTable()),
    details("Order of each round", table([["round", "in this order"], ...settings.order.map((/** @type {string[]} */ ids, /** @type {number} */ at) => [String(at + 1), ids.join(", ")])])),
  );
}

/** @param {string} title @param {Node} content */
function details(title, content) {
  return make("details", make("summary", title), content);
}

function roundsTable() {
  const rows = report.cells.flatMap((/** @type {any} */ cell) => cell.rounds.map((/** @type {any} */ round) => {
    const { validity, generator } = round;
    const verdict = make(validity.valid ? "span" : "span.bad", validity.valid ? "✓ counts" : `✗ ${[...validity.reasons, ...(validity.advice ?? [])].join(" ")}`);
    return [
      cell.id,
      `${round.round}, place ${round.place}`,
      verdict,
      count(round.n),
      [round.lost, round.repeated, round.reordered].map(count).join(" / "),
      generator.cpu === undefined ? NOTHING : `${Math.round(generator.cpu * 100)} %`,
      figure(generator.lag.p99_ns ?? generator.lag.max_ns, UNITS.time) + (generator.lag.p99_ns ? "" : " (max)"),
      figure(generator.sweep.p99_ns ?? generator.sweep.max_ns, UNITS.time),
    ];
  }));
  return table([["cell", "round", "validity", "N", "lost / rep. / reord.", "generator CPU", "lag p99", "sweep p99"], ...rows]);
}

function download() {
  const button = /** @type {HTMLButtonElement} */ (make("button", "Save report.json"));
  button.type = "button";
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(report, null, 2)}\n`], { type: "application/json" }));
    link.download = "report.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
  return make("p.actions", button, make("span", "Check it: ", make("code", "fallcast bench verify report.json")));
}

/* The whole */

const findings = make("div");
const findingsOfLoad = make("div");
const figuresPlace = make("div#figures");
figuresPlace.id = "figures";

/** Shows what is chosen. */
function update() {
  const said = (/** @type {boolean} */ isOfLoad) => report.findings
    .filter((/** @type {any} */ finding) => ("load" in finding) === isOfLoad && (!isOfLoad || finding.load === load))
    .map((/** @type {any} */ { text }) => text);
  findings.replaceChildren(sentences("Findings", said(false)) ?? "");
  findingsOfLoad.replaceChildren(sentences(`With ${load}`, said(true)) ?? "");
  figuresPlace.replaceChildren(figures());
  for (const chart of charts) void chart.update();
}

const group = (/** @type {string} */ title, /** @type {Chart[]} */ charts) => make("section.group", make("h2", title), make("div.charts", ...charts.map(({ element }) => element)));

document.querySelector("#report")?.replaceChildren(
  head(),
  tiles(),
  findings,
  ...(allSeries.length > 0 ? [choice(), findingsOfLoad, figuresPlace] : []),
  group("Latency", latencyCharts),
  group("Cost", costCharts),
  group("Beginning, spreading, recovering", otherCharts),
  sentences("What this does not show", report.does_not_show, "limits") ?? "",
  method(),
  download(),
);
update();
for (const query of [matchMedia("(prefers-color-scheme: dark)"), narrow]) query.addEventListener("change", update);
new MutationObserver(update).observe(document.documentElement, { attributeFilter: ["data-theme"] });
