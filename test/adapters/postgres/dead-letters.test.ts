// Dead letters on each Postgres backend: recorded whole and once, whatever they contain.

import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { postgresDeadLetters } from "../../../src/adapters/postgres/notices/dead-letters.ts";
import type { DeadLetters } from "../../../src/ports/notice-stores.ts";
import type { Page } from "../../../src/ports/page.ts";
import type { DeadLetter, DeadLetterRecord } from "../../../src/records/dead-letter.ts";
import { NOW } from "../../budget/builders.ts";
import { anActor } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { auditLog, useTenantDatabase } from "../../support/servers/tenant-database.ts";

describe.each(postgresBackends)("dead letters on $name", (backend) => {
  const db = useTenantDatabase(backend);
  const letters: DeadLetters = postgresDeadLetters(() => db.database());
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

  it("records a letter whole", async () => {
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

  it("records a redelivery once, and another queue's message separately", async () => {
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
  ])("stores a body that is %s", async (_, body) => {
    await letters.record(aLetter({ body }));
    expect((await rows())[0]?.["body"]).toEqual(body);
  });

  it("stores a missing body as null", async () => {
    await letters.record(aLetter({ body: undefined }));
    expect((await rows())[0]?.["body"]).toBeNull();
  });

  it.each<[string, unknown, unknown]>([
    ["a NUL", { "a\0": "b\0c" }, { "a\ufffd": "b\ufffdc" }],
    ["half of an emoji", "a\ud83d", "a\ufffd"],
    ["the other half", ["\udc3b!"], ["\ufffd!"]],
  ])("stores a body without %s, which Postgres rejects", async (_, body, kept) => {
    await letters.record(aLetter({ body }));
    expect((await rows())[0]?.["body"]).toEqual(kept);
  });

  it("stores an error with characters that Postgres rejects", async () => {
    await letters.record(aLetter({ error: "a\0b\ud83d" }));
    expect((await rows())[0]?.["error"]).toBe("a\ufffdb\ufffd");
  });

  it("throws an outage while Postgres is down", async () => {
    db.away();
    await expect(letters.record(aLetter())).rejects.toMatchObject({ name: "Outage", dependency: "postgres" });
    db.back();
    expect(await rows()).toEqual([]);
  });
});

describe.each(postgresBackends)("dead letters on $name, read", (backend) => {
  const db = useTenantDatabase(backend);
  const letters: DeadLetters = postgresDeadLetters(() => db.database());
  beforeEach(() => db.query("truncate dead_letters"));

  const record = (messageId: string, recordedAt: number) =>
    letters.record({ queue: "bursar-spend", messageId, body: { n: messageId }, attempts: 1, error: "e", recordedAt });
  const idOf = async (messageId: string): Promise<string> =>
    (await db.query("select id from dead_letters where message_id = $1", [messageId]))[0]?.["id"];
  const pages = async (limit: number, between = async () => {}) => {
    const seen: string[][] = [];
    let before: string | null = null;
    do {
      const page: Page<DeadLetterRecord> = await letters.list({ before, limit });
      seen.push(page.rows.map(({ messageId }) => messageId));
      before = page.next;
      await between();
    } while (before !== null);
    return seen;
  };

  it("lists whole letters, newest first", async () => {
    await record("old", NOW - 1);
    await record("new", NOW);
    const { rows, next } = await letters.list({ before: null, limit: 10 });
    expect([rows.map(({ messageId }) => messageId), next]).toEqual([["new", "old"], null]);
    expect(rows[0]).toEqual({
      id: await idOf("new"),
      queue: "bursar-spend",
      messageId: "new",
      body: { n: "new" },
      attempts: 1,
      error: "e",
      recordedAt: NOW,
      replayedAt: null,
      replayedBy: null,
    });
  });

  it("pages letters, each once, equal instants included", async () => {
    for (const messageId of ["a", "b", "c", "d", "e"]) await record(messageId, NOW);
    const seen = await pages(2);
    expect(seen.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(seen.flat().sort()).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("shows each letter once while letters are added", async () => {
    for (let number = 1; number <= 4; number++) await record(`m${number}`, NOW + number);
    let later = NOW + 10;
    const seen = await pages(2, () => record(`late ${later}`, later++));
    expect(seen).toEqual([
      ["m4", "m3"],
      ["m2", "m1"],
    ]);
  });

  it("answers an empty page without letters, and throws for a malformed cursor", async () => {
    expect(await letters.list({ before: null, limit: 5 })).toEqual({ rows: [], next: null });
    await expect(letters.list({ before: "x", limit: 5 })).rejects.toThrow();
  });

  it("loads a letter by id, and null by any other text", async () => {
    await record("m", NOW);
    expect(await letters.load(await idOf("m"))).toMatchObject({ messageId: "m", body: { n: "m" } });
    for (const id of [randomUUID(), "m", "", "\0"]) expect(await letters.load(id)).toBeNull();
  });

  it("marks a letter as replayed with actor and time, and audits each time", async () => {
    await record("m", NOW);
    await record("other", NOW);
    const id = await idOf("m");
    await letters.markReplayed(id, anActor());
    await letters.markReplayed(id, anActor({ name: "bob", requestId: "request-2", now: NOW + 1 }));
    for (const stranger of [randomUUID(), "m"]) await letters.markReplayed(stranger, anActor());
    expect(await letters.load(id)).toMatchObject({ replayedAt: NOW + 1, replayedBy: "bob" });
    expect(await letters.load(await idOf("other"))).toMatchObject({ replayedAt: null, replayedBy: null });
    const line = { action: "dead_letter_replayed", tenant_id: null, before: null, after: null };
    const detail = { dead_letter_id: id, queue: "bursar-spend", message_id: "m" };
    expect(await auditLog(db)).toMatchObject([
      { ...line, actor: "alice", request_id: "request-1", at: new Date(NOW), detail },
      { ...line, actor: "bob", request_id: "request-2", at: new Date(NOW + 1), detail },
    ]);
  });
});
