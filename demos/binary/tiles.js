// @ts-check
/**
 * A picture, painted by this page, and its tiles: the pixels of a square, three bytes each, behind a head of four.
 *
 * The head says which tile of which picture it is. WebSocket and the log carry a tile as the bytes it is; where it
 * travels as base64, `fromBase64` makes bytes of it again.
 */

/** The head of a tile: which picture, how large the tile is, and its number in two bytes. */
const HEAD = 4;

/** @typedef {{ picture: number, edge: number, index: number, pixels: Uint8Array }} Tile */

/**
 * A landscape under a sun: many colors, so that nobody suspects a trick of compression.
 *
 * @param {number} width
 * @param {number} height
 * @param {number} picture each picture has another hour of the day
 */
export function paint(width, height, picture) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  const hue = (210 + 75 * picture) % 360;
  const sky = pen.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, `hsl(${hue} 65% 38%)`);
  sky.addColorStop(0.65, `hsl(${hue + 150} 80% 72%)`);
  pen.fillStyle = sky;
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = "#ffe45c";
  pen.beginPath();
  pen.arc(width * 0.7, height * 0.36, height * 0.14, 0, 2 * Math.PI);
  pen.fill();
  for (let layer = 0; layer < 4; layer++) drawHills(pen, { width, height, layer, hue });
  return pen.getImageData(0, 0, width, height);
}

/** @param {CanvasRenderingContext2D} pen @param {{ width: number, height: number, layer: number, hue: number }} land */
function drawHills(pen, { width, height, layer, hue }) {
  pen.fillStyle = `hsl(${hue + 230} 45% ${46 - 10 * layer}%)`;
  pen.beginPath();
  pen.moveTo(0, height);
  for (let x = 0; x <= width; x++) {
    const wave = Math.sin(x / (34 - 5 * layer) + 1.7 * layer) + 0.5 * Math.sin(x / (11 + 3 * layer) + layer);
    pen.lineTo(x, height * (0.58 + 0.11 * layer - 0.06 * wave));
  }
  pen.lineTo(width, height);
  pen.fill();
}

/**
 * Cuts a picture into tiles.
 *
 * @param {ImageData} image
 * @param {number} edge of a tile, in pixels
 * @param {number} picture
 * @returns {Uint8Array<ArrayBuffer>[]}
 */
export function cut(image, edge, picture) {
  const columns = image.width / edge;
  return Array.from({ length: columns * (image.height / edge) }, (_, index) => {
    const tile = new Uint8Array(HEAD + 3 * edge * edge);
    tile.set([picture & 0xff, edge, index >> 8, index & 0xff]);
    const [left, top] = [(index % columns) * edge, Math.floor(index / columns) * edge];
    for (let pixel = 0; pixel < edge * edge; pixel++) {
      const from = 4 * ((top + Math.floor(pixel / edge)) * image.width + left + (pixel % edge));
      for (let color = 0; color < 3; color++) tile[HEAD + 3 * pixel + color] = image.data[from + color];
    }
    return tile;
  });
}

/** @param {Uint8Array} bytes @returns {Tile} */
export function read(bytes) {
  return { picture: bytes[0], edge: bytes[1], index: (bytes[2] << 8) | bytes[3], pixels: bytes.subarray(HEAD) };
}

/** Puts a tile where it belongs. @param {HTMLCanvasElement} canvas @param {Tile} tile */
export function draw(canvas, { edge, index, pixels }) {
  const square = new ImageData(edge, edge);
  for (let from = 0, to = 0; from < pixels.length; ) {
    for (let color = 0; color < 3; color++) square.data[to++] = pixels[from++];
    square.data[to++] = 255; // nothing shines through
  }
  const columns = canvas.width / edge;
  canvas.getContext("2d")?.putImageData(square, (index % columns) * edge, Math.floor(index / columns) * edge);
}

/** What a page has to do with base64. (Newer browsers have `Uint8Array.fromBase64` for it.) @param {string} text */
export function fromBase64(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = characters.charCodeAt(index);
  return bytes;
}
