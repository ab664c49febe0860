/**
 * What Wireshark's `tshark` says about a capture in all details: for each direction of each connection, its requests,
 * responses and frames in their order.
 */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const MOST_OUTPUT = 256 * 1024 * 1024;

/**
 * @typedef {{ name: string, value: string, show: string, pos?: string, size?: string, children: Node[] }} Node of the
 *   tree that tshark writes
 * @typedef {{ line: string, headers: string[], chunks: number[] | null, content: string }} Message `line` and `headers`
 *   are whole lines, `content` is in hexadecimal, without the chunks' sizes
 * @typedef {object} Frame
 * @property {boolean} fin
 * @property {number} rsv
 * @property {number} opcode
 * @property {boolean} isMasked
 * @property {number} length
 * @property {string | null} key in hexadecimal
 * @property {string} payload in hexadecimal
 */

/**
 * Has a capture taken apart.
 *
 * @param {string} file
 * @param {string} port where HTTP is spoken
 * @returns {Promise<Map<string, (Message | Frame)[]>>} by the client's port and the direction, as in `50000 up`
 */
export async function dissect(file, port) {
  // Twice, since a body is taken apart where it ends, and shown where it began.
  const { stdout } = await run("tshark", ["-r", file, "-2", "-d", `tcp.port==${port},http`, "-T", "pdml"], {
    maxBuffer: MOST_OUTPUT,
  });
  const streams = new Map();
  for (const packet of packetsOf(stdout)) {
    const tcp = packet.children.find(({ name }) => name === "tcp");
    const [from, to] = ["tcp.srcport", "tcp.dstport"].map((name) => find(tcp, name).show);
    const key = to === port ? `${from} up` : `${to} down`;
    if (!streams.has(key)) streams.set(key, []);
    streams.get(key).push(...unitsOf(packet));
  }
  return streams;
}

// --- PDML -------------------------------------------------------------------------------------------------------------

const TAG = /<(\/?)(packet|proto|field)\b((?:"[^"]*"|[^">])*?)(\/?)>/g;
const ENTITIES = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

/** PDML is XML without text between its tags. @param {string} pdml @returns {Node[]} */
function packetsOf(pdml) {
  const root = { name: "", value: "", show: "", children: [] };
  const open = [root];
  for (const [, closing, tag, attributes, isEmpty] of pdml.matchAll(TAG)) {
    if (closing) {
      open.pop();
      continue;
    }
    const node = { name: tag, value: "", show: "", ...attributesOf(attributes), children: [] };
    open.at(-1).children.push(node);
    if (!isEmpty) open.push(node);
  }
  return root.children;
}

function attributesOf(text) {
  const attributes = Array.from(text.matchAll(/([\w:]+)="([^"]*)"/g));
  return Object.fromEntries(attributes.map(([, name, value]) => [name, unescape(value)]));
}

function unescape(text) {
  return text.replace(/&(?:#x([0-9a-f]+)|(\w+));/gi, (_, code, name) =>
    code ? String.fromCodePoint(Number.parseInt(code, 16)) : ENTITIES[name],
  );
}

/** @param {Node} node @param {string} name @returns {Node[]} all of this name below */
function findAll(node, name) {
  return node.children.flatMap((child) => [...(child.name === name ? [child] : []), ...findAll(child, name)]);
}

/** @param {Node} node @param {string} name */
function find(node, name) {
  return findAll(node, name)[0];
}

// --- requests, responses, frames ----------------------------------------------------------------------------------------

/** @param {Node} packet @returns {(Message | Frame)[]} */
function unitsOf(packet) {
  const segment = find(packet, "tcp.payload");
  return packet.children.flatMap((layer, index) => {
    if (layer.name === "http") return messageOf(layer);
    if (layer.name === "websocket") return frameOf(layer, packet.children.slice(index + 1), segment);
    return [];
  });
}

/** @param {Node} http @returns {Message[]} */
function messageOf(http) {
  const isRequest = Boolean(find(http, "http.request"));
  if (!isRequest && !find(http, "http.response")) return [];
  const first = http.children.find(({ name }) => name === "");
  const lines = findAll(http, isRequest ? "http.request.line" : "http.response.line");
  const sizes = findAll(http, "http.chunk_size").map(({ value }) => Number.parseInt(latin1(value), 16));
  return [
    {
      line: latin1(first.value),
      headers: lines.map(({ value }) => latin1(value)),
      chunks: sizes.length > 0 ? sizes : null,
      content: find(http, "http.file_data")?.value ?? "",
    },
  ];
}

/**
 * A frame. Where its payload stands depends on its kind.
 *
 * @param {Node} frame
 * @param {Node[]} behind the layers that follow it
 * @param {Node} segment the bytes of the packet above TCP
 * @returns {Frame}
 */
function frameOf(frame, behind, segment) {
  const end = behind.findIndex(({ name }) => name === "websocket");
  const layers = [frame, ...behind.slice(0, end < 0 ? undefined : end)];
  const field = (name) => layers.map((layer) => find(layer, `websocket.${name}`)).find(Boolean);
  const fin = field("fin").show === "1";
  const opcode = Number(field("opcode").show);
  const length = field("payload_length_ext_16") ?? field("payload_length_ext_64") ?? field("payload_length");
  const key = field("masking_key")?.value ?? null;
  const isFragment = !fin || opcode === 0;
  return {
    fin,
    rsv: Number(field("rsv").show),
    opcode,
    isMasked: field("mask").show === "1",
    length: Number(length.show),
    key,
    payload: (!isFragment && payloadOf(field, layers)) || payloadAtItsPlace(field, key, segment),
  };
}

function payloadOf(field, layers) {
  const whole = ["payload.text", "payload.ping", "payload.pong"].map(field).find(Boolean);
  const data = layers.map((layer) => find(layer, "data.data")).find(Boolean);
  const close = ["status_code", "reason"].map((name) => field(`payload.close.${name}`)?.value ?? "").join("");
  return (whole ?? data)?.value ?? close;
}

/**
 * Where a payload lies, tshark always says. It does not always show it: instead of fragments it shows the message that
 * it puts together, and behind fragments in one packet it shows nothing any more.
 */
function payloadAtItsPlace(field, key, segment) {
  const place = field("masked_payload") ?? field("payload");
  if (!place) return "";
  const from = Number(place.pos) - Number(segment.pos);
  const bytes = Buffer.from(segment.value, "hex").subarray(from, from + Number(place.size));
  const mask = Buffer.from(key ?? "00000000", "hex");
  return Buffer.from(bytes.map((byte, index) => byte ^ mask[index % 4])).toString("hex");
}

function latin1(hex) {
  return Buffer.from(hex, "hex").toString("latin1");
}
