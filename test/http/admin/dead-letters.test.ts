// `/v1/dead-letters` over HTTP: access, format, replay, and the problem for each failure.

import { beforeEach, describe, expect, it } from "vitest";
import { noticeMessage } from "../../../src/ports/messages.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { Ports } from "../../../src/ports/ports.ts";
import { NOW } from "../../budget/builders.ts";
import { aDispatch, uuidOf } from "../../support/builders/notice-builders.ts";
import { FakeDeadLetters } from "../../support/fakes/fake-dead-letters.ts";
import { FakeDeliveries } from "../../support/fakes/fake-deliveries.ts";
import { HttpWorld } from "../../support/worlds/http-world.ts";

const READ = { token: "read-token" };
const ADMIN = { method: "POST", token: "admin-token" };
const { alertId, channelId } = aDispatch().delivery;
const body = noticeMessage({ alertId, channelId });

let world: LettersWorld;
beforeEach(async () => {
  world = new LettersWorld();
  await world.record("m1", NOW - 2);
  await world.record("m2", NOW - 1);
});

class LettersWorld extends HttpWorld {
  readonly letters = new FakeDeadLetters();
  readonly notices = new FakeDeliveries();
  readonly sent: unknown[] = [];
  isRefusing = false;

  override ports(): Ports {
    const send = async (queue: string, letter: unknown) => {
      if (this.isRefusing) throw new Outage("queue", "send", null);
      if (queue !== "bursar-notices") return false;
      this.sent.push(letter);
      return true;
    };
    return { ...super.ports(), deadLetters: this.letters, deliveries: this.notices, replayQueues: { send } };
  }

  record(messageId: string, recordedAt: number, queue = "bursar-notices") {
    return this.letters.record({ queue, messageId, body, attempts: 6, error: "500", recordedAt });
  }

  replay(id: string, token = "admin-token") {
    return this.call(`/v1/dead-letters/${id}/replay`, { ...ADMIN, token });
  }
}

describe("listing", () => {
  it("shows whole letters, newest first, to read and admin tokens", async () => {
    const { status, body: list } = await world.call("/v1/dead-letters", READ);
    expect([status, list.next_cursor]).toEqual([200, null]);
    expect(list.data).toEqual([
      {
        id: uuidOf(2),
        queue: "bursar-notices",
        message_id: "m2",
        body,
        attempts: 6,
        error: "500",
        recorded_at: "2026-11-15T11:59:59.999Z",
        replayed_at: null,
        replayed_by: null,
      },
      expect.objectContaining({ id: uuidOf(1), message_id: "m1" }),
    ]);
    expect((await world.call("/v1/dead-letters", { token: "admin-token" })).body).toEqual(list);
  });

  it("pages by cursor while new letters are added", async () => {
    const first = await world.call("/v1/dead-letters?limit=1", READ);
    await world.record("m3", NOW);
    const second = await world.call(`/v1/dead-letters?limit=1&cursor=${first.body.next_cursor}`, READ);
    const ids = [...first.body.data, ...second.body.data].map(({ message_id }) => message_id);
    expect([ids, second.body.next_cursor]).toEqual([["m2", "m1"], null]);
  });

  it.each([
    ["limit", "limit=0"],
    ["limit", "limit=many"],
    ["cursor", "cursor="],
    ["cursor", "cursor=x"],
    ["cursor", `cursor=${uuidOf(1)}`],
    ["cursor", "cursor=zz.------------------------------------"],
  ])("answers 422 naming %s: ?%s", async (field, query) => {
    const answer = await world.call(`/v1/dead-letters?${query}`, READ);
    expect([answer.status, answer.body.errors.map((error: { field: string }) => error.field)]).toEqual([422, [field]]);
  });

  it("answers 401 without a token", async () => {
    expect((await world.call("/v1/dead-letters")).status).toBe(401);
    expect((await world.call("/v1/dead-letters", { token: "wrong" })).status).toBe(401);
  });

  it("answers 503 while Postgres is down", async () => {
    world.letters.isAway = true;
    const { status, body: problem } = await world.call("/v1/dead-letters", READ);
    expect([status, problem.type]).toEqual([503, "urn:bursar:problem:dependency-unavailable"]);
  });
});

describe("replaying", () => {
  it("requeues the message, revives its notice and marks the letter as replayed", async () => {
    world.notices.has(aDispatch({ delivery: { status: "failed", attempts: 6 } }));
    const { status, body: letter } = await world.replay(uuidOf(1));
    expect([status, letter.id, letter.replayed_by]).toEqual([200, uuidOf(1), "alice"]);
    expect(Date.parse(letter.replayed_at)).toBeGreaterThan(0);
    expect(world.sent).toEqual([body]);
    expect(world.notices.of({ alertId, channelId }).status).toBe("pending");
    const list = await world.call("/v1/dead-letters", READ);
    expect(list.body.data[1]).toEqual(letter);
  });

  it("replaying twice is harmless", async () => {
    expect([(await world.replay(uuidOf(1))).status, (await world.replay(uuidOf(1))).status]).toEqual([200, 200]);
  });

  it("requeues the message once under one idempotency key", async () => {
    const path = `/v1/dead-letters/${uuidOf(1)}/replay`;
    const replay = () => world.call(path, { ...ADMIN, headers: { "idempotency-key": "k1" } });
    const [first, second] = [await replay(), await replay()];
    expect([second.status, second.body]).toEqual([200, first.body]);
    expect(second.headers.get("Idempotency-Replayed")).toBe("true");
    expect(world.sent).toHaveLength(1);
  });

  it("refuses a read token and a missing token", async () => {
    expect((await world.replay(uuidOf(1), "read-token")).status).toBe(403);
    expect((await world.replay(uuidOf(1), "")).status).toBe(401);
    expect(world.sent).toEqual([]);
  });

  it.each([uuidOf(9), "x", "%00", "x".repeat(500)])("answers 404 for a missing letter: %s", async (id) => {
    const { status, body: problem } = await world.replay(id);
    expect([status, problem.type]).toEqual([404, "urn:bursar:problem:not-found"]);
  });

  it("answers 409 for a letter of an unknown queue", async () => {
    await world.record("m3", NOW, "foreign");
    const { status, body: problem } = await world.replay(uuidOf(3));
    expect([status, problem.type]).toEqual([409, "urn:bursar:problem:unknown-queue"]);
  });

  it("answers 503 when the queue refuses, and marks no letter", async () => {
    world.isRefusing = true;
    const { status, body: problem } = await world.replay(uuidOf(1));
    expect([status, problem.type]).toEqual([503, "urn:bursar:problem:dependency-unavailable"]);
    expect((await world.letters.load(uuidOf(1)))?.replayedAt).toBeNull();
  });

  it("answers 405 to any other method", async () => {
    const { status, headers } = await world.call(`/v1/dead-letters/${uuidOf(1)}/replay`, READ);
    expect([status, headers.get("Allow")]).toEqual([405, "POST, OPTIONS"]);
  });
});
