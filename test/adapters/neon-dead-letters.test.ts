// Dead letters on every Postgres there is: recorded as they were, once, whatever is in them.

import { beforeEach, describe, expect, it } from "vitest";
import { neonDeadLetters } from "../../src/adapters/neon-dead-letters.ts";
import type { DeadLetter, DeadLetters } from "../../src/ports.ts";
import { NOW } from "../budget/builders.ts";
import { postgresBackends } from "../support/postgres-backends.ts";
import { useTenantDatabase } from "../support/tenant-database.ts";

describe.each(postgresBackends)("dead letters on $name", (backend) => {
  const db = useTenantDatabase(backend);
  const letters: DeadLetters = neonDeadLetters(() => db.database());
  beforeEach(() => db.query("truncate dead_letters"));

  const aLetter = (differences: Partial<DeadLetter> = {}): DeadLetter => ({
    queue: "bursar-spend",
    messageId: "m1",
    body: { kind: "observed" },
    attempts: 3,
    error: "not a spend message",
    recordedAt: NOW,
    ...differences,
  });
  const rows = () =>
    db.query(
      "select queue, message_id, body, attempts, error, recorded_at from dead_letters order by message_id, queue",
    );

  it("is recorded whole", async () => {
    await letters.record(aLetter());
    expect(await rows()).toEqual([
      {
        queue: "bursar-spend",
        message_id: "m1",
        body: { kind: "observed" },
        attempts: 3,
        error: "not a spend message",
        recorded_at: new Date(NOW),
      },
    ]);
  });

  it("delivered again it is one row still; of another queue it is another letter", async () => {
    await letters.record(aLetter());
    await letters.record(aLetter({ attempts: 4 }));
    await letters.record(aLetter({ queue: "bursar-notices" }));
    expect((await rows()).map(({ queue, attempts }) => [queue, attempts])).toEqual([
      ["bursar-notices", 3],
      ["bursar-spend", 3],
    ]);
  });

  it.each<[string, unknown]>([
    ["text", 'it\'s "quoted" $1 ; drop table dead_letters'],
    ["a number", 7],
    ["null", null],
    ["a list", [1, "two", { three: null }]],
    ["a backslash before what looks like an escape", "\\u0000"],
    ["an emoji", "🐻"],
  ])("keeps a body that is %s", async (_, body) => {
    await letters.record(aLetter({ body }));
    expect((await rows())[0]?.["body"]).toEqual(body);
  });

  it("a body that is not there is null", async () => {
    await letters.record(aLetter({ body: undefined }));
    expect((await rows())[0]?.["body"]).toBeNull();
  });

  it.each<[string, unknown, unknown]>([
    ["a NUL", { "a\0": "b\0c" }, { "a\ufffd": "b\ufffdc" }],
    ["half of an emoji", "a\ud83d", "a\ufffd"],
    ["the other half", ["\udc3b!"], ["\ufffd!"]],
  ])("a body with %s, which Postgres cannot keep, is kept but for that", async (_, body, kept) => {
    await letters.record(aLetter({ body }));
    expect((await rows())[0]?.["body"]).toEqual(kept);
  });

  it("throws an outage when Postgres is away", async () => {
    db.away();
    await expect(letters.record(aLetter())).rejects.toMatchObject({ name: "Outage", dependency: "postgres" });
    db.back();
    expect(await rows()).toEqual([]);
  });
});
