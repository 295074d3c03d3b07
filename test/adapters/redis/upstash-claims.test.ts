// Claims on each Redis backend: held once, expired in time; a failing Redis is an outage, never "already claimed".

import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Fault, Part } from "../../../dev/part.ts";
import { startUpstash } from "../../../dev/upstash/start-upstash.ts";
import { upstashClaims } from "../../../src/adapters/redis/upstash-claims.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { Claims, ReadClaim } from "../../../src/ports/ports.ts";
import type { AlertId } from "../../../src/records/alert.ts";
import type { DeliveryKey } from "../../../src/records/delivery.ts";
import type { IdempotencyKey } from "../../../src/records/idempotency.ts";
import { aSpendRecord, NOW } from "../../budget/builders.ts";
import { hashOf, idOf } from "../../support/builders/builders.ts";
import { channelIdOf } from "../../support/builders/notice-builders.ts";

const TOKEN = "a-token";

/** Long, because these tests are not about speed: a busy test machine must not cause outages. */
const PATIENCE_MS = 10_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const redisUrl = process.env["TEST_REDIS_URL"];
const backends = [redisUrl ? { store: "real Redis", options: { redisUrl } } : { store: "embedded Redis", options: {} }];

describe.each(backends)("claims in $store", ({ options }) => {
  let redis: Part;
  let claims: Claims;
  let tenant: ReturnType<typeof idOf>;
  let key: IdempotencyKey;
  let notice: DeliveryKey;

  beforeAll(async () => {
    redis = await startUpstash({ port: 0, token: TOKEN, ...options });
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    claims = upstashClaims({ url: redis.url, token: TOKEN, timeoutMs: PATIENCE_MS });
    tenant = idOf(`t-${randomUUID()}`);
    key = { actor: "alice", route: "POST /v1/tenants", key: randomUUID() };
    notice = { alertId: randomUUID() as AlertId, channelId: channelIdOf(1) };
  });
  afterEach(() => {
    redis.setFault(null);
    vi.restoreAllMocks();
  });

  /** Direct access, without the adapter. */
  const command = async (...words: string[]): Promise<unknown> => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const response = await fetch(redis.url, { method: "POST", headers, body: JSON.stringify(words) });
    return ((await response.json()) as { result: unknown }).result;
  };
  const secondsLeft = async (name: string) => Number(await command("TTL", name));
  /** Asserts that a key written after `since` expires `seconds` after that. */
  async function expectToExpireIn(name: string, seconds: number, since: number): Promise<void> {
    const left = await secondsLeft(name);
    expect(left).toBeLessThanOrEqual(seconds);
    expect(left).toBeGreaterThanOrEqual(seconds - Math.ceil((performance.now() - since) / 1_000));
  }
  /** Lets a key's time pass. */
  async function expire(name: string): Promise<void> {
    expect(await command("PEXPIRE", name, "1")).toBe(1);
    while ((await command("EXISTS", name)) !== 0) await pause(5);
  }
  const keyOf = ({ alertId, channelId }: DeliveryKey) => `notice:${alertId}:${channelId}`;

  describe("a read", () => {
    const claim = (differences: Partial<ReadClaim> = {}) => ({
      tenantId: tenant,
      colo: "FRA",
      seconds: 60,
      ...differences,
    });
    const read = { subjectId: hashOf("a"), spend: aSpendRecord({ spendNanoUsd: 123_456_789_123_456_789n, epoch: 2 }) };

    it("goes to one of many, and is pending for the others until it is shared", async () => {
      const asked = await Promise.all(Array.from({ length: 20 }, () => claims.claimRead(claim())));
      expect(asked.sort()).toEqual(["claimed", ...Array(19).fill("pending")]);
      await claims.shareRead(claim(), read, 5_000);
      expect(await claims.claimRead(claim())).toEqual(read);
      expect(await claims.claimRead(claim({ colo: "NRT" }))).toBe("claimed");
    });

    it("keeps a reset that is null", async () => {
      const without = { ...read, spend: { ...read.spend, resetsAt: null } };
      await claims.claimRead(claim());
      await claims.shareRead(claim(), without, 5_000);
      expect(await claims.claimRead(claim())).toEqual(without);
    });

    it("ends with its claim, shared or not", async () => {
      const since = performance.now();
      await claims.claimRead(claim());
      await expectToExpireIn(`read:${tenant}:FRA:60`, 60, since);
      await claims.shareRead(claim(), read, 30_000);
      await expectToExpireIn(`read:${tenant}:FRA:60`, 30, since);
      await expire(`read:${tenant}:FRA:60`);
      await claims.shareRead(claim(), read, 30_000);
      expect(await claims.claimRead(claim())).toBe("claimed");
    });

    it("stays pending when what is shared cannot be read", async () => {
      await command("SET", `read:${tenant}:FRA:60`, '{"spend":"much"}');
      expect(await claims.claimRead(claim())).toBe("pending");
    });
  });

  describe("an idempotency key", () => {
    const answer = { status: 201, body: { tenant_id: "acme", max_budget: 12.5, note: null, list: ["1", 2] } };

    it("claims a key once, reports it running until finished, then replays its answer", async () => {
      expect(await claims.claimIdempotency(key, "hash")).toEqual({ kind: "claimed" });
      expect(await claims.claimIdempotency(key, "hash")).toEqual({ kind: "running" });
      await claims.finishIdempotency(key, "hash", answer);
      expect(await claims.claimIdempotency(key, "hash")).toEqual({ kind: "done", answer });
    });

    it("detects another body while running and when done", async () => {
      await claims.claimIdempotency(key, "hash");
      expect(await claims.claimIdempotency(key, "other")).toEqual({ kind: "other_body" });
      await claims.finishIdempotency(key, "hash", answer);
      expect(await claims.claimIdempotency(key, "other")).toEqual({ kind: "other_body" });
    });

    it("releases a key without an answer", async () => {
      await claims.claimIdempotency(key, "hash");
      await claims.finishIdempotency(key, "hash", null);
      expect(await claims.claimIdempotency(key, "other")).toEqual({ kind: "claimed" });
    });

    it("claims keys separately by actor and route", async () => {
      await claims.claimIdempotency(key, "hash");
      expect(await claims.claimIdempotency({ ...key, actor: "bob" }, "hash")).toEqual({ kind: "claimed" });
      expect(await claims.claimIdempotency({ ...key, route: "DELETE" }, "hash")).toEqual({ kind: "claimed" });
    });
  });

  describe("a notice", () => {
    it("grants a notice to one message and its redeliveries, and answers `sending` to others", async () => {
      expect(await claims.claimNotice(notice, "m1")).toBe("claimed");
      expect(await claims.claimNotice(notice, "m1")).toBe("claimed");
      expect(await claims.claimNotice(notice, "m2")).toBe("sending");
    });

    it("N6: grants a notice to one of fifty concurrent messages", async () => {
      const taken = await Promise.all(
        Array.from({ length: 50 }, (_, index) => claims.claimNotice(notice, `m${index}`)),
      );
      expect(taken.filter((claim) => claim === "claimed")).toHaveLength(1);
      expect(taken.filter((claim) => claim === "sending")).toHaveLength(49);
    });

    it("answers `sent` to every message once the notice is sent", async () => {
      await claims.claimNotice(notice, "m1");
      await claims.noteNoticeSent(notice);
      expect([await claims.claimNotice(notice, "m1"), await claims.claimNotice(notice, "m2")]).toEqual([
        "sent",
        "sent",
      ]);
    });

    it("answers `sent` for a notice sent without a claim", async () => {
      await claims.noteNoticeSent(notice);
      expect(await claims.claimNotice(notice, "m1")).toBe("sent");
    });

    it("grants a released notice again", async () => {
      await claims.claimNotice(notice, "m1");
      await claims.releaseNotice(notice);
      expect(await claims.claimNotice(notice, "m2")).toBe("claimed");
      await claims.releaseNotice({ ...notice, channelId: channelIdOf(9) });
    });

    it("claims notices separately by alert and channel", async () => {
      await claims.claimNotice(notice, "m1");
      expect(await claims.claimNotice({ ...notice, channelId: channelIdOf(2) }, "m2")).toBe("claimed");
      expect(await claims.claimNotice({ ...notice, alertId: randomUUID() as AlertId }, "m2")).toBe("claimed");
    });

    it("expires a minute after the claim, and an hour after it was sent", async () => {
      const since = performance.now();
      await claims.claimNotice(notice, "m1");
      await expectToExpireIn(keyOf(notice), 60, since);
      await claims.noteNoticeSent(notice);
      await expectToExpireIn(keyOf(notice), 3_600, since);
      await expire(keyOf(notice));
      expect(await claims.claimNotice(notice, "m2")).toBe("claimed");
    });

    it("does not extend its claim on redelivery", async () => {
      await claims.claimNotice(notice, "m1");
      await command("EXPIRE", keyOf(notice), "10");
      await claims.claimNotice(notice, "m1");
      expect(await secondsLeft(keyOf(notice))).toBeLessThanOrEqual(10);
    });

    it("distinguishes a message id `sent` from a sent notice", async () => {
      await claims.claimNotice(notice, "sent");
      expect(await claims.claimNotice(notice, "m2")).toBe("sending");
    });
  });

  describe("a scheduled read", () => {
    it("says when the read of a tenant and name is due", async () => {
      expect(await claims.scheduledReadAt(tenant, "hint:5000")).toBeNull();
      await claims.noteScheduledRead(tenant, "hint:5000", NOW + 25_000, 60);
      expect(await claims.scheduledReadAt(tenant, "hint:5000")).toBe(NOW + 25_000);
      expect(await claims.scheduledReadAt(tenant, "confirm")).toBeNull();
      expect(await claims.scheduledReadAt(idOf(`${tenant}-2`), "hint:5000")).toBeNull();
    });

    it("says when the last noted read is due, and expires with its seconds", async () => {
      const since = performance.now();
      await claims.noteScheduledRead(tenant, "confirm", NOW + 60_000, 60);
      await claims.noteScheduledRead(tenant, "confirm", NOW + 30_000, 30);
      const name = `read-due:${tenant}:confirm`;
      await expectToExpireIn(name, 30, since);
      expect(await claims.scheduledReadAt(tenant, "confirm")).toBe(NOW + 30_000);
      await expire(name);
      expect(await claims.scheduledReadAt(tenant, "confirm")).toBeNull();
    });
  });

  const FAULTS: [string, Fault][] = [
    ["is slower than 250 ms", { kind: "slow", delayMs: 10_000 }],
    ["hangs", { kind: "hang" }],
    ["cuts connections", { kind: "reset" }],
    ["answers 500", { kind: "error", status: 500 }],
    ["answers 401", { kind: "error", status: 401 }],
    ["answers nonsense", { kind: "nonsense" }],
  ];
  describe.each(FAULTS)("while it %s", (_, fault) => {
    beforeEach(() => {
      claims = upstashClaims({ url: redis.url, token: TOKEN });
      redis.setFault(fault);
    });

    it.each<[string, () => Promise<unknown>]>([
      ["a claim of a read", () => claims.claimRead({ tenantId: tenant, colo: "FRA", seconds: 5 })],
      ["a claim of an idempotency key", () => claims.claimIdempotency(key, "hash")],
      ["the end of one", () => claims.finishIdempotency(key, "hash", null)],
      ["a claim of a notice", () => claims.claimNotice(notice, "m1")],
      ["the note of a sent one", () => claims.noteNoticeSent(notice)],
      ["the release of one", () => claims.releaseNotice(notice)],
      ["a look for a read", () => claims.scheduledReadAt(tenant, "confirm")],
      ["the note of one", () => claims.noteScheduledRead(tenant, "confirm", NOW, 5)],
      ["a ping", () => claims.ping()],
    ])("throws an outage of Redis in time: %s", async (_what, claim) => {
      const begunAt = performance.now();
      const error = await claim().then(
        (value) => `not thrown, but ${JSON.stringify(value)}`,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(Outage);
      expect(error).toMatchObject({ dependency: "redis" });
      // Far from the ten seconds of the slow one, and far enough from 250 ms for a busy machine.
      expect(performance.now() - begunAt).toBeLessThan(8_000);
    });
  });

  it("throws an outage while stopped, and works with the same client after a restart", async () => {
    await claims.ping();
    await redis.stop();
    await expect(claims.claimRead({ tenantId: tenant, colo: "FRA", seconds: 5 })).rejects.toBeInstanceOf(Outage);
    await redis.restart();
    expect(await claims.claimRead({ tenantId: tenant, colo: "FRA", seconds: 5 })).toBe("claimed");
  });
});
