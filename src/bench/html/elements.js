// @ts-check
/* Elements of the page, and how each transport looks. Whatever comes from a report becomes text, never markup. */

/**
 * A new element: `make("p.aside", "text", other)`.
 *
 * @param {string} what its tag and classes
 * @param {...(Node | string | null | undefined)} content
 * @returns {HTMLElement}
 */
function make(what, ...content) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  element.append(...content.filter((part) => part !== null && part !== undefined));
  return element;
}

/** A list of sentences. @param {string} title @param {string[]} sentences @param {string} [look] */
function sentences(title, sentences, look = "says") {
  const list = make("ul", ...sentences.map((text) => make("li", text)));
  return sentences.length > 0 ? make(`section.${look}`, make("h2", title), list) : null;
}

/** A table, whose first row and first column are heads. @param {(Node | string)[][]} rows @param {string} [look] */
function table(rows, look = "plain") {
  const cells = (/** @type {(Node | string)[]} */ row, /** @type {boolean} */ isHead) =>
    make("tr", ...row.map((cell, at) => {
      const element = make(isHead || at === 0 ? "th" : "td", cell);
      if (isHead || at === 0) element.setAttribute("scope", isHead ? "col" : "row");
      return element;
    }));
  const [head, ...body] = rows;
  const inside = make(`table.${look}`, make("thead", cells(head, true)), make("tbody", ...body.map((row) => cells(row, false))));
  const frame = make("div.scroll", inside);
  frame.tabIndex = 0;
  return frame;
}

/** Names and values. @param {[string, string | Node | null | undefined][]} entries */
function facts(entries) {
  const known = entries.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return make("dl.facts-of-run", ...known.flatMap(([name, value]) => [make("dt", name), make("dd", value ?? "")]));
}

/** How each transport looks: the name of its color in the style, and the mark of plotly.js that is its shape. */
const LOOKS = [
  { prefix: "websocket", color: "websocket", symbol: "circle" },
  { prefix: "sse", color: "sse", symbol: "square" },
  { prefix: "long-poll", color: "poll", symbol: "hexagon2" },
  { prefix: "stream", color: "stream", symbol: "diamond" },
  { prefix: "short-poll", color: "short", symbol: "triangle-up" },
];

/** @param {string} transport */
function lookOf(transport) {
  return LOOKS.find(({ prefix }) => transport.startsWith(prefix)) ?? { prefix: "", color: "muted", symbol: "star" };
}

/** The shape of a transport in its color, as the charts draw it. @param {string} transport @param {boolean} [isOpen] for the second target */
function mark(transport, isOpen = false) {
  const { color, symbol } = lookOf(transport);
  return shape(symbol, color, isOpen);
}

/** A mark of plotly.js beside text. @param {string} symbol @param {string} color its name in the style @param {boolean} [isOpen] */
function shape(symbol, color, isOpen = false) {
  const shapes = /** @type {Record<string, string>} */ ({
    circle: "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 1 1 0-13z",
    square: "M2 2h12v12h-12z",
    hexagon2: "M0.5 8l3.75-6.5h7.5l3.75 6.5l-3.75 6.5h-7.5z",
    diamond: "M8 0.5l7.5 7.5l-7.5 7.5l-7.5-7.5z",
    "triangle-up": "M8 1l7.5 13.5h-15z",
    star: "M8 1l2 5h5l-4 3.5l1.5 5.5l-4.5-3l-4.5 3l1.5-5.5l-4-3.5h5z",
  });
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "shape");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", shapes[symbol]);
  path.setAttribute("fill", isOpen ? "none" : `var(--${color})`);
  path.setAttribute("stroke", `var(--${color})`);
  path.setAttribute("stroke-width", "1.6");
  svg.append(path);
  return svg;
}
