/**
 * The text of the demo "shared text" (demos/shared-text/sequence.js): whoever has heard the same has the same text.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode, Sequence } from "../../demos/shared-text/sequence.js";

/** Draws the same numbers for the same seed (mulberry32). */
function dice(seed) {
  const draw = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit) => Math.floor(draw() * limit);
  const shuffled = (list) => {
    const copy = [...list];
    for (let at = copy.length - 1; at > 0; at--) {
      const other = below(at + 1);
      [copy[at], copy[other]] = [copy[other], copy[at]];
    }
    return copy;
  };
  return { draw, below, shuffled };
}

/** Everybody writes, while messages are under way, overtake each other, and come twice. */
function party(seed, { sites = 5, turns = 120 } = {}) {
  const { draw, below, shuffled } = dice(seed);
  const copies = Array.from({ length: sites }, () => new Sequence(below(2 ** 32)));
  const inboxes = copies.map(() => []);
  const sent = [];
  for (let turn = 0; turn < turns; turn++) {
    const who = below(sites);
    const copy = copies[who];
    const length = copy.text.length;
    const isDeleting = length > 0 && draw() < 0.3;
    const operations = isDeleting
      ? copy.delete(below(length), 1 + below(4))
      : copy.insert(below(length + 1), String.fromCharCode(97 + below(26)).repeat(1 + below(5)));
    const message = encode(operations);
    sent.push(message);
    inboxes.forEach((inbox, other) => other === who || inbox.push(message));
    // Now and then somebody hears some of what is under way, in any order.
    const listener = below(sites);
    const heard = shuffled(inboxes[listener]).slice(0, below(6));
    for (const message of heard) copies[listener].apply(decode(message));
    if (draw() < 0.7) inboxes[listener] = inboxes[listener].filter((message) => !heard.includes(message));
  }
  inboxes.forEach((inbox, listener) => {
    for (const message of shuffled([...inbox, ...inbox.slice(0, 3)])) copies[listener].apply(decode(message));
  });
  return { copies, sent, shuffled };
}

test("all copies converge, in whatever order and how often messages come", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { copies, sent, shuffled } = party(seed);
    const late = new Sequence(0);
    for (const message of shuffled(sent)) late.apply(decode(message));
    for (const copy of [...copies, late]) {
      assert.equal(copy.text, copies[0].text, `seed ${seed}`);
      assert.equal(copy.waiting, 0, `seed ${seed}`);
      assert.equal(copy.size, copies[0].size, `seed ${seed}`);
    }
  }
});

test("what is typed in one go stays in one piece, wherever others type at the same time", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { shuffled } = dice(seed);
    const words = ["green", "TEA", "12345"];
    const copies = words.map((_, at) => new Sequence(at + 1));
    const base = copies[0].insert(0, "()");
    for (const copy of copies) copy.apply(base);
    // Letter by letter, as fingers do, and nobody hears the others.
    const said = words.map((word, who) => [...word].map((letter, at) => encode(copies[who].insert(1 + at, letter))));
    for (const copy of copies) for (const message of shuffled(said.flat())) copy.apply(decode(message));
    for (const { text } of copies) {
      assert.equal(text, copies[0].text);
      for (const word of words) assert.ok(text.includes(word), `${word} in ${text}`);
      assert.match(text, /^\(.{13}\)$/u);
    }
  }
});

test("a word that is continued after others were heard stays in one piece", () => {
  const [ada, ben] = [new Sequence(1), new Sequence(2)];
  const start = ada.insert(0, "gr");
  const other = ben.insert(0, "black ");
  ada.apply(other);
  ben.apply(start);
  ben.apply(ada.insert(ada.text.indexOf("gr") + 2, "een"));
  assert.equal(ada.text, ben.text);
  assert.ok(ada.text.includes("green"));
});

test("who has heard of a letter gives its own a larger clock, so it may stand before it", () => {
  const [ada, ben] = [new Sequence(2), new Sequence(1)];
  ada.insert(0, "12345");
  const heard = ada.insert(0, "tea");
  ben.apply(heard);
  const written = ben.insert(0, "green ");
  assert.equal(ben.text, "green tea");
  ada.apply(written);
  assert.equal(ada.text, "green tea12345");
});

test("two who delete the same letter delete it once, and behind a deleted letter one can write", () => {
  const [ada, ben] = [new Sequence(1), new Sequence(2)];
  ben.apply(ada.insert(0, "tea"));
  const [byAda, byBen] = [ada.delete(1, 1), ben.delete(1, 2)];
  const typed = ada.insert(2, "!");
  ada.apply(byBen);
  ben.apply([...typed, ...byAda]);
  assert.equal(ada.text, "t!");
  assert.equal(ben.text, "t!");
});

test("a place is found again by the letter before it, whatever others write and delete", () => {
  const [ada, ben] = [new Sequence(1), new Sequence(2)];
  ben.apply(ada.insert(0, "green tea"));
  const caret = ada.anchor(5);
  ada.apply(ben.insert(0, "very "));
  assert.equal(ada.placeOf(caret), 10);
  ada.apply(ben.delete(8, 2));
  assert.equal(ada.text, "very gre tea");
  assert.equal(ada.placeOf(caret), 8, "its letter is gone, its place is not");
  assert.equal(ada.placeOf(ada.anchor(0)), 0);
  assert.deepEqual([ada.has(caret), ada.has({ clock: 99, site: 1 })], [true, false]);
});

test("operations wait for what they stand on, and letters beyond the first plane travel", () => {
  const [ada, ben] = [new Sequence(7), new Sequence(8)];
  const operations = ada.insert(0, "a🫖é");
  operations.push(...ada.delete(0, 1));
  ben.apply(operations.toReversed());
  assert.equal(ben.text, "🫖é");
  assert.equal(ben.waiting, 0);
  assert.deepEqual(decode(encode(operations)), operations);
});

test("a word in one go is little more than its letters", () => {
  const word = "a word in one go";
  const bytes = encode(new Sequence(2 ** 32 - 1).insert(0, word));
  assert.deepEqual([...bytes.subarray(0, 10)], [2, 1, 255, 255, 255, 255, 15, 0, 0, word.length]);
  assert.equal(bytes.length, 10 + word.length);
  const deletion = encode(Array.from({ length: 300 }, (_, at) => ({ kind: "delete", id: { clock: at + 5, site: 3 } })));
  assert.deepEqual([...deletion], [3, 5, 3, 172, 2]);
});

test("what is no message of ours is refused, without harm", () => {
  for (const bytes of [[9, 1, 1], [1], [1, 128], [2, 1, 1, 0, 0, 255, 255, 255, 255, 127], [1, 1, 1, 0, 0, 255, 255, 255, 7]]) {
    assert.throws(() => decode(Uint8Array.from(bytes)), RangeError, String(bytes));
  }
});
