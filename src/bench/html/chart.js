// @ts-check
/* Charts by plotly.js. It lies in the page, compressed, and is unpacked when the first chart comes into view. */

/** @typedef {Record<string, any>} Colors */
/** @typedef {{ traces: Record<string, any>[], layout?: Record<string, any> }} Drawing */

/** @type {Promise<any> | undefined} */ let library;

/** plotly.js, unpacked once. */
function plotly() {
  library ??= (async () => {
    const packed = Uint8Array.from(atob(document.querySelector("#plotly")?.textContent ?? ""), (letter) => letter.charCodeAt(0));
    const script = document.createElement("script");
    script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    document.head.append(script);
    return /** @type {any} */ (window).Plotly;
  })();
  return library;
}

/** The colors of the page, as plotly.js wants them. @returns {Colors} */
function colorsOfPage() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const color = (/** @type {string} */ name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["ink", "muted", "line", "panel", "fault", "signal", "websocket", "sse", "poll", "stream", "short", "framing", "header", "request", "payload"];
  const colors = Object.fromEntries(names.map((name) => [name, color(name)]));
  probe.remove();
  return colors;
}

/** The same color, so opaque. @param {string} color as `rgb(1, 2, 3)` @param {number} share */
function faint(color, share) {
  return color.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);
}

/** Whether there is little room. */
const narrow = matchMedia("(width < 44rem)");

/** A figure with a title, a chart, and how to read it. It is drawn when it is seen, and anew when anything changes. */
class Chart {
  /** @type {() => (Drawing | null)} */ #draw;
  #plot = make("div.plot");
  #isSeen = false;
  #isBusy = false;
  #isStale = false;

  /** @param {string} title @param {string} caption how to read it @param {(colors: Colors) => (Drawing | null)} draw nothing if there is nothing to draw @param {boolean} [isBroad] */
  constructor(title, caption, draw, isBroad = false) {
    this.#draw = () => draw(colorsOfPage());
    this.#plot.setAttribute("role", "img");
    this.#plot.setAttribute("aria-label", `${title}. ${caption}`);
    this.element = make(isBroad ? "figure.chart.broad" : "figure.chart", make("h3", title), this.#plot, make("figcaption", caption));
    new IntersectionObserver(([{ isIntersecting }]) => {
      this.#isSeen = isIntersecting;
      if (isIntersecting && this.#isStale) void this.update();
    }, { rootMargin: "50%" }).observe(this.#plot);
    this.#isStale = true;
  }

  /** Draws it, if it is seen; else later. */
  async update() {
    this.#isStale = true;
    const drawing = this.#draw();
    this.element.hidden = drawing === null;
    if (this.#isBusy || !this.#isSeen || drawing === null) return;
    this.#isBusy = true;
    try {
      const { react } = await plotly();
      while (this.#isStale) {
        this.#isStale = false;
        const { traces, layout } = this.#draw() ?? { traces: [] };
        await react(this.#plot, traces, wholeLayout(layout ?? {}), { displayModeBar: false, responsive: true });
        this.#plot.dataset.drawn = "";
      }
    } finally {
      this.#isBusy = false;
    }
  }
}

/** @param {Record<string, any>} layout */
function wholeLayout({ xaxis, yaxis, ...rest }) {
  const { ink, muted, line, panel } = colorsOfPage();
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.82;
  const axis = { gridcolor: line, zeroline: false, linecolor: muted, tickcolor: line, automargin: true, fixedrange: narrow.matches };
  const titled = (/** @type {any} */ own) => ({ ...axis, ...own, title: { text: own?.title ?? "", standoff: size * 0.8, font: { size, color: muted } } });
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size, color: ink },
    paper_bgcolor: panel,
    plot_bgcolor: panel,
    margin: { l: size, r: size, t: size * 0.8, b: size },
    showlegend: false,
    hoverlabel: { font: { size, color: ink }, bgcolor: panel, bordercolor: muted },
    hovermode: "closest",
    dragmode: narrow.matches ? false : "zoom",
    xaxis: titled({ tickangle: 0, ...xaxis }),
    yaxis: titled(yaxis),
    ...rest,
  };
}

/** A round number, with no more digits than it has. @param {number} value @param {Units} units */
function tickText(value, units) {
  if (value === 0) return "0";
  const [size, unit] = unitOf(value, units);
  return `${Number((value / size).toPrecision(3)).toLocaleString("en-US")} ${unit}`.trim();
}

/**
 * A logarithmic axis on which one can read what stands there.
 *
 * @param {(number | null)[]} values all that are drawn on it
 * @param {Units} units
 * @param {string} title
 */
function logAxis(values, units, title) {
  const known = /** @type {number[]} */ (values.filter((value) => value !== null && value > 0));
  const [low, high] = [Math.min(...known), Math.max(...known)].map(Math.log10);
  const room = Math.max(0.05 * (high - low), 0.03);
  const range = [low - room, high + room];
  // Few decades leave room for more than powers of ten between them.
  const isSpacious = (/** @type {number} */ decades) => high - low < (narrow.matches ? decades / 2 : decades);
  const steps = isSpacious(1.2) ? [1, 1.5, 2, 3, 5, 7] : isSpacious(3.2) ? [1, 2, 5] : [1];
  const ticks = [];
  for (let decade = Math.floor(range[0]); decade <= Math.ceil(range[1]); decade += 1) {
    ticks.push(...steps.map((step) => step * 10 ** decade));
  }
  const seen = ticks.filter((tick) => Math.log10(tick) >= range[0] && Math.log10(tick) <= range[1]);
  return { type: "log", range, tickvals: seen, ticktext: seen.map((tick) => tickText(tick, units)), title };
}

/** A linear axis from zero. @param {(number | null)[]} values @param {Units} units @param {string} title */
function linearAxis(values, units, title) {
  const known = /** @type {number[]} */ (values.filter((value) => value !== null));
  const [low, high] = [Math.min(0, ...known), Math.max(0, ...known)];
  const rough = (high - low || 1) / (narrow.matches ? 4 : 6);
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((times) => times * decade >= rough) ?? 10) * decade;
  const tickvals = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high * 1.001; tick += step) tickvals.push(tick);
  const room = (high - low) * 0.06;
  return { range: [low < 0 ? low - room : 0, high + room], tickvals, ticktext: tickvals.map((tick) => tickText(tick, units)), title };
}
