// @ts-check
/** The field: a canvas on which dots move, and from which a finger, a mouse or the arrow keys move one's own. */

/** How much of the field the arrow keys cross in a second. */
const SPEED = 0.6;

/** @typedef {{ x: number, y: number }} Place from 0 to 1 in both directions */

/** The dot that everybody at this page moves: a person, or a robot if nobody does. */
export class Dot {
  place = { x: 0.5, y: 0.5 };
  /** @type {Set<string>} */ #keys = new Set();
  #touchedAt = -Infinity;

  /** @param {HTMLCanvasElement[]} fields @param {AbortSignal} signal */
  constructor(fields, signal) {
    for (const field of fields) {
      field.addEventListener("keydown", (event) => this.#press(event), { signal });
      field.addEventListener("keyup", (event) => this.#keys.delete(event.key), { signal });
      field.addEventListener("blur", () => this.#keys.clear(), { signal });
      field.addEventListener("pointerdown", (event) => this.#grasp(event, field), { signal });
      field.addEventListener("pointermove", (event) => event.buttons && this.#point(event, field), { signal });
    }
  }

  /** Moves it. @param {number} ms since the last time @param {number} idle after how many ms without a person a robot goes on */
  move(ms, idle = 3_000) {
    if (this.#keys.size > 0) this.#touchedAt = performance.now();
    const step = (SPEED * ms) / 1_000;
    const pull = (/** @type {string} */ key) => (this.#keys.has(key) ? step : 0);
    this.#set(this.place.x + pull("ArrowRight") - pull("ArrowLeft"), this.place.y + pull("ArrowDown") - pull("ArrowUp"));
    if (performance.now() - this.#touchedAt > idle) this.#wander();
  }

  /** The robot runs in a figure of eight. */
  #wander() {
    const turn = performance.now() / 700;
    const [x, y] = [0.5 + 0.4 * Math.sin(turn), 0.5 + 0.35 * Math.sin(2 * turn)];
    // From where a person has left it, it glides there.
    this.#set(this.place.x + (x - this.place.x) / 8, this.place.y + (y - this.place.y) / 8);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault(); // the page must not scroll
    this.#keys.add(event.key);
  }

  /** The dot follows the pointer beyond the field, too. @param {PointerEvent} event @param {HTMLCanvasElement} field */
  #grasp(event, field) {
    field.setPointerCapture(event.pointerId);
    this.#point(event, field);
  }

  /** @param {PointerEvent} event @param {HTMLCanvasElement} field */
  #point(event, field) {
    this.#touchedAt = performance.now();
    const { left, top, width, height } = field.getBoundingClientRect();
    this.#set((event.clientX - left) / width, (event.clientY - top) / height);
  }

  /** @param {number} x @param {number} y */
  #set(x, y) {
    this.place = { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
  }
}

/** How far two places are from each other, in widths of the field. @param {Place} one @param {Place} other */
export function distance(one, other) {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

/**
 * Draws a field: the dot, its ghost, what lies between, and the other players.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{ dot: Place, ghost: Place | null, trail: Place[], others: Place[], isStalled: boolean }} scene
 */
export function drawField(canvas, { dot, ghost, trail, others, isStalled }) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const [wide, high] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const size = Math.max(9, width / 30);
  // Dots at the border are seen whole.
  const at = (/** @type {Place} */ { x, y }) => {
    return /** @type {const} */ ([size + x * (width - 2 * size), size + y * (height - 2 * size)]);
  };

  pen.fillStyle = pen.strokeStyle = style.borderRightColor;
  pen.globalAlpha = isStalled ? 0.22 : 0;
  pen.fillRect(0, 0, width, height);
  pen.globalAlpha = 1;
  if (isStalled) drawWord(pen, "stalled", style, size);
  pen.fillStyle = pen.strokeStyle = style.color;
  trail.forEach((place, index) => {
    pen.globalAlpha = (0.7 * (index + 1)) / trail.length;
    drawDisk(pen, at(place), size / 5);
  });
  pen.globalAlpha = 1;
  if (ghost) drawGhost(pen, at(dot), at(ghost), size);
  pen.fillStyle = style.borderLeftColor;
  for (const other of others) drawDisk(pen, at(other), size * 0.6);
  pen.fillStyle = style.borderTopColor;
  drawDisk(pen, at(dot), size * 0.75);
}

/** @param {CanvasRenderingContext2D} pen @param {string} word @param {CSSStyleDeclaration} style @param {number} size */
function drawWord(pen, word, style, size) {
  pen.font = `700 ${1.6 * size}px ${style.fontFamily}`;
  pen.textBaseline = "top";
  pen.fillText(word, size / 2, size / 2);
}

/** @param {CanvasRenderingContext2D} pen @param {readonly [number, number]} place @param {number} size */
function drawDisk(pen, [x, y], size) {
  pen.beginPath();
  pen.arc(x, y, size, 0, 2 * Math.PI);
  pen.fill();
}

/**
 * A ring, and a line to the dot that it ought to be.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {readonly [number, number]} dot
 * @param {readonly [number, number]} ghost
 * @param {number} size
 */
function drawGhost(pen, dot, ghost, size) {
  pen.lineWidth = size / 4;
  pen.beginPath();
  pen.moveTo(...dot);
  pen.lineTo(...ghost);
  pen.stroke();
  pen.lineWidth = size / 2.5;
  pen.beginPath();
  pen.arc(...ghost, size, 0, 2 * Math.PI);
  pen.stroke();
}
