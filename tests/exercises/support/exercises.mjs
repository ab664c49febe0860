/**
 * The exercises, and what students find broken before they have written anything.
 */

import { cargoTest, nodeTest } from "./process.mjs";

/**
 * The exercises that are servers: the checks that grade them, the properties that students find broken, and those for which
 * chance decides whether they do.
 *
 * @typedef {{ languages: import("./process.mjs").Language[], checks: string[], broken: string[], perhaps?: string[] }} Exercise
 * @type {Record<string, Exercise>}
 */
export const SERVERS = {
  "long-polling": {
    languages: ["Rust", "JavaScript", "Python"],
    checks: ["poll"],
    broken: ["poll.abort", "poll.drained", "poll.nothing-lost", "poll.pipelined", "poll.wait-ends"],
  },
  sse: {
    languages: ["Rust", "JavaScript", "Python"],
    checks: ["sse"],
    broken: ["sse.fields", "sse.ids", "sse.injection", "sse.line-ends", "sse.spaces"],
  },
  websocket: {
    languages: ["Rust", "JavaScript"],
    checks: ["ws"],
    broken: [
      "ws.bad-close-code",
      "ws.close-echo",
      "ws.fragmented-control",
      "ws.long-control",
      "ws.one-byte-writes",
      "ws.pong-between-fragments",
      "ws.pong-payload",
      "ws.reserved-bit",
      "ws.reserved-opcode",
      "ws.stray-continuation",
      "ws.too-big",
      "ws.unasked-pong",
      "ws.unmasked",
      "ws.utf8",
    ],
  },
  resume: {
    languages: ["Rust", "JavaScript", "Python"],
    checks: ["resume"],
    broken: ["resume.ahead", "resume.hand-over", "resume.other-epoch", "resume.same-id"],
    // Whether a message is published while the subscriber is away.
    perhaps: ["resume.no-loss"],
  },
  "slow-reader": {
    languages: ["Rust", "Python"],
    checks: ["slow-reader"],
    broken: ["slow-reader.others"],
  },
  origin: {
    languages: ["Rust", "JavaScript"],
    checks: ["ws", "publish"],
    broken: ["publish.foreign-origin", "ws.origin"],
  },
};

/** The exercises that need no server: what runs their tests, and which of those fail before anything is written. */
export const FUNCTIONS = [
  {
    name: "hub in Rust",
    run: (/** @type {import("./process.mjs").Which} */ which) => cargoTest("hub", which),
    passed: ["the_text_arrives_as_it_was_published"],
    failed: [
      "a_subscriber_gets_everything_after_its_position_in_order_and_nothing_else",
      "a_subscriber_that_reads_on_from_its_last_number_loses_and_repeats_nothing",
      "numbers_are_dense_also_when_old_messages_are_forgotten",
      "the_log_is_bounded_and_the_newest_stay",
      "who_claims_to_have_seen_what_has_never_been_is_told",
      "who_has_missed_a_forgotten_message_is_told",
    ],
  },
  {
    name: "back-off in Rust",
    run: (/** @type {import("./process.mjs").Which} */ which) => cargoTest("back-off", which),
    passed: [],
    failed: [
      "a_thousand_clients_do_not_knock_all_at_once",
      "no_number_of_failures_breaks_it",
      "nobody_comes_before_retry_after_and_not_all_at_its_end",
      "the_jitter_is_full",
      "the_window_doubles_with_each_failure_up_to_the_last",
    ],
  },
  {
    name: "back-off in JavaScript",
    run: (/** @type {import("./process.mjs").Which} */ which) => nodeTest("back-off", which),
    passed: [],
    failed: [
      "a thousand clients do not knock all at once",
      "no number of failures breaks it",
      "nobody comes before Retry-After, and not all at its end",
      "the jitter is full",
      "the window doubles with each failure, up to the last",
    ],
  },
];
