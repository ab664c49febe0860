// @ts-check
/** How lanes are painted: the ground, bands, bars and marks, each by a function that knows nothing of the others. */

/** Where "now" is, from the right edge, in CSS pixels: a mark that arrives now is seen whole. */
export const NOW = 18;

/** @typedef {{ lane: string, ink: string, muted: string, panel: string, fault: string, signal: string, face: string }} Colors */

/** The colors as the theme has them now: a canvas knows no custom properties. @param {HTMLElement} element @returns {Colors} */
export function colorsOf(element) {
  const style = getComputedStyle(element);
  // Each is put on the canvas as a property that takes a color, and read back resolved (demo.css).
  return {
    lane: style.color,
    ink: style.borderTopColor,
    muted: style.borderLeftColor,
    panel: style.backgroundColor,
    fault: style.borderRightColor,
    signal: style.borderBottomColor,
    face: style.fontFamily,
  };
}

/** @param {CanvasRenderingContext2D} pen @param {Colors} colors @param {{ left: number, right: number, height: number, label: string }} band */
export function drawBand(pen, colors, { left, right, height, label }) {
  pen.save();
  pen.globalAlpha = 0.22;
  pen.fillStyle = colors.fault;
  pen.fillRect(left, 0, right - left, height);
  pen.globalAlpha = 1;
  pen.fillRect(left, 0, 3, height);
  pen.textBaseline = "top";
  pen.fillText(label, Math.max(left, 0) + 8, 4);
  pen.restore();
}

/** The line of time; with a scale, its top and its bottom. @param {CanvasRenderingContext2D} pen @param {Colors} colors @param {any} ground */
export function drawGround(pen, colors, { width, height, y, scale, hasLine }) {
  pen.save();
  pen.strokeStyle = scale ? colors.muted : colors.lane;
  pen.fillStyle = colors.muted;
  pen.lineWidth = scale ? 1 : 4;
  for (const value of scale ? [0, scale.top / 2, scale.top] : hasLine ? [0] : []) {
    pen.globalAlpha = scale ? 0.5 : 1;
    pen.beginPath();
    pen.moveTo(0, y(value));
    pen.lineTo(width - NOW, y(value));
    pen.stroke();
    pen.globalAlpha = 1;
    pen.textBaseline = value === 0 ? "bottom" : "top";
    if (scale && height > 60 && value !== scale.top / 2) pen.fillText(`${value.toLocaleString("en")} ${scale.unit}`, 4, y(value));
  }
  pen.fillStyle = colors.signal;
  pen.fillRect(width - NOW - 2, 0, 4, height);
  pen.restore();
}

/** @param {CanvasRenderingContext2D} pen @param {Colors} colors @param {{ left: number, right: number, height: number, bar: import("./lanes.js").Bar }} place */
export function drawBar(pen, colors, { left, right, height, bar }) {
  const { rows = 1, row = 0, tone = "plain", label } = bar;
  const tall = (height * 0.7) / rows;
  const top = height * 0.15 + row * tall;
  pen.save();
  pen.fillStyle = tone === "lost" || tone === "late" ? colors.fault : tone === "quiet" ? colors.muted : colors.lane;
  pen.globalAlpha = tone === "quiet" ? 0.45 : 0.9;
  pen.beginPath();
  pen.roundRect(left, top, Math.max(3, right - left - 1), tall - 2, 4);
  pen.fill();
  if (label && right - left > pen.measureText(label).width + 8) {
    pen.globalAlpha = 1;
    pen.fillStyle = colors.panel;
    pen.textBaseline = "middle";
    pen.fillText(label, Math.max(left, 0) + 5, top + tall / 2);
  }
  pen.restore();
}

/** @param {CanvasRenderingContext2D} pen @param {Colors} colors @param {{ x: number, y: number, height: number, mark: import("./lanes.js").Mark, look: string }} place */
export function drawMark(pen, colors, { x, y, height, mark, look }) {
  const { tone = "plain", label } = mark;
  const size = label ? Math.max(11, height / 6) : Math.max(4, height / 22);
  pen.save();
  pen.fillStyle = tone === "late" || tone === "lost" ? colors.fault : tone === "quiet" ? colors.muted : colors.lane;
  pen.strokeStyle = tone === "lost" ? colors.fault : colors.panel;
  pen.lineWidth = tone === "lost" ? 3 : 2;
  pen.beginPath();
  outline(pen, tone === "lost" ? "cross" : look, x, y, size);
  if (tone === "lost") {
    pen.stroke();
  } else if (tone === "caught-up") {
    pen.strokeStyle = pen.fillStyle;
    pen.fillStyle = colors.panel;
    pen.fill();
    pen.stroke();
  } else {
    pen.fill();
    if (label) pen.stroke();
  }
  if (tone === "twice") {
    pen.strokeStyle = colors.fault;
    pen.lineWidth = 4;
    pen.stroke();
  }
  if (label) {
    pen.fillStyle = tone === "lost" ? colors.fault : tone === "caught-up" ? colors.lane : colors.panel;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    // Nothing could be read inside of a cross.
    pen.fillText(label, x, tone === "lost" ? y + 1.9 * size : y + 1, size * 2.4);
  }
  pen.restore();
}

/** Each transport has a shape of its own, so that nobody needs to tell colors apart. @param {CanvasRenderingContext2D} pen @param {string} shape @param {number} x @param {number} y @param {number} size */
function outline(pen, shape, x, y, size) {
  if (shape === "websocket") {
    pen.arc(x, y, size, 0, 2 * Math.PI);
  } else if (shape === "sse") {
    pen.rect(x - size, y - size, 2 * size, 2 * size);
  } else if (shape === "long-poll") {
    const wide = 1.25 * size;
    pen.moveTo(x - wide, y);
    pen.lineTo(x - wide / 2, y - size);
    pen.lineTo(x + wide / 2, y - size);
    pen.lineTo(x + wide, y);
    pen.lineTo(x + wide / 2, y + size);
    pen.lineTo(x - wide / 2, y + size);
    pen.closePath();
  } else if (shape === "cross") {
    pen.moveTo(x - size, y - size);
    pen.lineTo(x + size, y + size);
    pen.moveTo(x + size, y - size);
    pen.lineTo(x - size, y + size);
  } else {
    pen.moveTo(x, y - 1.2 * size);
    pen.lineTo(x + 1.2 * size, y);
    pen.lineTo(x, y + 1.2 * size);
    pen.lineTo(x - 1.2 * size, y);
    pen.closePath();
  }
}
