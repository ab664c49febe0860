/**
 * What students begin with runs, and fails its check by saying which promise is broken.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { FUNCTIONS, SERVERS } from "./support/exercises.mjs";
import { check, ExerciseServer, HANG_GUARD } from "./support/process.mjs";

for (const [name, { languages, checks, broken, perhaps = [] }] of Object.entries(SERVERS)) {
  for (const language of languages) {
    test(`${name} in ${language} at first breaks what the exercise is about, and its check shows it`, HANG_GUARD, async (test) => {
      const server = await ExerciseServer.start(name, language, "start");
      test.after(() => server.stop());
      const { code, properties } = await check(checks, name, server.url);
      const failed = properties.filter(({ verdict }) => verdict === "failed");
      const ids = failed.map(({ id }) => id).sort();
      assert.deepEqual(ids.filter((id) => !perhaps.includes(id)), broken);
      assert.equal(code, 1);
      for (const { id, says, trace } of failed) {
        assert.ok(says, `${id} says what was seen`);
        assert.ok(trace?.length, `${id} shows it`);
      }
    });
  }
}

for (const { name, run, passed, failed } of FUNCTIONS) {
  test(`${name} at first fails by name`, HANG_GUARD, async () => {
    const start = await run("start");
    assert.deepEqual(start.failed, failed, start.says);
    assert.deepEqual(start.passed, passed, start.says);
  });
}
