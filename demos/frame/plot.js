// @ts-check
/**
 * Charts by plotly.js, which the server brings along. It is large, so it is loaded when the first chart is drawn, and
 * kept by the browser from then on.
 */

import { url } from "./plotly-url.js";

/** The colors of the transports, and of the theme, as the page has them now. @returns {Record<string, string>} */
function theme() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const color = (/** @type {string} */ name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const colors = {
    ink: color("ink"),
    muted: color("muted"),
    line: color("line"),
    panel: color("panel"),
    fault: color("fault"),
    websocket: color("websocket"),
    sse: color("sse"),
    "long-poll": color("poll"),
    font: getComputedStyle(document.body).fontFamily,
  };
  probe.remove();
  return colors;
}

/** @type {Promise<any> | undefined} */ let loading;

/** Loads plotly.js, once. @returns {Promise<any>} */
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = String(new URL(url, import.meta.url));
    script.onload = () => resolve(/** @type {any} */ (window).Plotly);
    script.onerror = () => reject(new Error("plotly.js could not be loaded from the server"));
    document.head.append(script);
  });
  return loading;
}

/**
 * What a chart shows in any case, so that small differences look small: a trace that nobody sees. (On logarithmic axes
 * plotly.js does not widen what `autorangeoptions` include.)
 *
 * @param {[number, number]} x
 * @param {[number, number]} y
 */
export function extent(x, y) {
  return { x, y, mode: "markers", marker: { opacity: 0 }, showlegend: false, hoverinfo: "skip" };
}

/**
 * A chart that can be drawn anew with new data, follows the theme, and can be saved as a picture.
 *
 *     const chart = new Chart(element, { title: "…", x: "ms", y: "share of messages" });
 *     await chart.draw((colors) => [{ x: […], y: […], name: "SSE", line: { color: colors.sse } }]);
 */
export class Chart {
  #element;
  #titles;
  #layout;
  /** @type {((colors: Record<string, string>) => object[]) | undefined} */ #traces;
  /** A chart that nobody looks at costs nothing: on a phone, that spares a large download. */ #isInView = false;
  /** Whether a picture is being drawn, and whether another one is wanted after it. */ #isBusy = false;
  #isStale = false;

  /**
   * @param {HTMLElement} element
   * @param {{ title: string, x: string, y: string }} titles
   * @param {Record<string, any>} [layout] what else plotly.js is to know
   */
  constructor(element, titles, layout = {}) {
    this.#element = element;
    this.#titles = titles;
    this.#layout = layout;
    element.classList.add("chart");
    const again = () => void (this.#traces && this.draw(this.#traces));
    new IntersectionObserver(([{ isIntersecting }]) => {
      this.#isInView = isIntersecting;
      if (isIntersecting) again();
    }).observe(element);
    for (const query of ["(prefers-color-scheme: dark)", "(width < 44rem)"]) matchMedia(query).addEventListener("change", again);
    new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  /** @param {(colors: Record<string, string>) => object[]} traces given the colors of the page, as plotly.js wants them */
  async draw(traces) {
    this.#traces = traces;
    this.#isStale = true;
    if (this.#isBusy || !this.#isInView) return;
    this.#isBusy = true;
    try {
      const library = await plotly();
      while (this.#isStale) {
        this.#isStale = false;
        await library.react(this.#element, this.#traces(theme()), this.#wholeLayout(), { displayModeBar: false, responsive: true });
        this.#element.dataset.drawn = "";
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /**
   * Loads what is needed to draw. That keeps a page busy for a moment, so it is better done before anything is measured.
   * A phone shows so little at a time that the chart may never be looked at, so it waits until then.
   */
  async prepare() {
    if (matchMedia("(width >= 60rem)").matches) await plotly();
  }

  /** Saves the chart as it is seen. @param {string} name of the file, without an ending */
  async save(name) {
    const library = await plotly();
    await library.downloadImage(this.#element, { format: "png", filename: name, width: 1600, height: 900 });
  }

  #wholeLayout() {
    const { ink, line, panel, font } = theme();
    // As large as the text around it, so that the last row can read it.
    const size = parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.85;
    const axis = { gridcolor: line, zerolinecolor: line, linecolor: ink, automargin: true };
    const isNarrow = matchMedia("(width < 44rem)").matches;
    const { xaxis, yaxis, ...rest } = this.#layout;
    return {
      title: { text: this.#titles.title, x: 0.01, xanchor: "left", y: 1, yanchor: "top", yref: "container", pad: { t: size }, font: { size: size * 1.15 } },
      font: { family: font, size, color: ink },
      paper_bgcolor: panel,
      plot_bgcolor: panel,
      // The title has a row of its own above the legend. On a phone the legend takes several rows, below the chart.
      margin: { l: size * 4, r: size, t: size * (isNarrow ? 3 : 5.2), b: size * (isNarrow ? 8 : 5) },
      legend: isNarrow
        ? { orientation: "h", yref: "container", y: 0.02, yanchor: "bottom", x: 0, xanchor: "left" }
        : { orientation: "h", y: 1.01, yanchor: "bottom", x: 0, xanchor: "left" },
      xaxis: { title: { text: this.#titles.x }, ...axis, ...xaxis },
      yaxis: { title: { text: this.#titles.y }, ...axis, ...yaxis },
      ...rest,
    };
  }
}
