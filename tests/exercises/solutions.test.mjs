/**
 * Every solution keeps all promises that its profile makes, and those that were broken before are among them.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { FUNCTIONS, SERVERS } from "./support/exercises.mjs";
import { check, ExerciseServer, HANG_GUARD } from "./support/process.mjs";

for (const [name, { languages, broken }] of Object.entries(SERVERS)) {
  for (const language of languages) {
    test(`${name} in ${language}, solved, passes all checks`, HANG_GUARD, async (test) => {
      const server = await ExerciseServer.start(name, language, "solution");
      test.after(() => server.stop());
      const { code, properties } = await check(["all"], name, server.url);
      const failed = properties.filter(({ verdict }) => verdict === "failed");
      assert.deepEqual(failed.map(({ id, says }) => `${id}: ${says}`), []);
      assert.equal(code, 0);
      const passed = properties.filter(({ verdict }) => verdict === "passed").map(({ id }) => id);
      for (const id of broken) assert.ok(passed.includes(id), `${id} was looked at`);
    });
  }
}

for (const { name, run, passed, failed } of FUNCTIONS) {
  test(`${name}, solved, passes`, HANG_GUARD, async () => {
    const solution = await run("solution");
    assert.deepEqual(solution.failed, [], solution.says);
    assert.deepEqual(solution.passed, [...passed, ...failed].sort());
  });
}
