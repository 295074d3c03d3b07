// Claims on every Redis there is: taken once, freed in time; and a Redis in trouble is an outage, never "taken".

import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Fault, Part } from "../../../dev/part.ts";
import { startUpstash } from "../../../dev/upstash/start-upstash.ts";
import { upstashClaims } from "../../../src/adapters/redis/upstash-claims.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { Claims } from "../../../src/ports/ports.ts";
import type { AlertId, DeliveryKey } from "../../../src/records/alert-record.ts";
import type { IdempotencyKey } from "../../../src/records/idempotency-record.ts";
import { idOf } from "../../support/builders.ts";
import { channelIdOf } from "../../support/notice-builders.ts";

const TOKEN = "a-token";
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const redisUrl = process.env["TEST_REDIS_URL"];
const backends = [
  { store: "embedded Redis", options: {} },
  ...(redisUrl ? [{ store: "real Redis", options: { redisUrl } }] : []),
];

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
    claims = upstashClaims({ url: redis.url, token: TOKEN });
    tenant = idOf(`t-${randomUUID()}`);
    key = { actor: "alice", route: "POST /v1/tenants", key: randomUUID() };
    notice = { alertId: randomUUID() as AlertId, channelId: channelIdOf(1) };
  });
  afterEach(() => redis.setFault(null));

  /** Past the adapter. */
  const command = async (...words: string[]): Promise<unknown> => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const response = await fetch(redis.url, { method: "POST", headers, body: JSON.stringify(words) });
    return ((await response.json()) as { result: unknown }).result;
  };
  const secondsLeft = (name: string) => command("TTL", name);
  const keyOf = ({ alertId, channelId }: DeliveryKey) => `notice:${alertId}:${channelId}`;

  describe("a refresh", () => {
    it("is one reader's, however many claim it at once", async () => {
      const taken = await Promise.all(Array.from({ length: 20 }, () => claims.claimRefresh(tenant, "FRA", 5)));
      expect(taken.filter(Boolean)).toHaveLength(1);
    });

    it("of another tenant, another colo or another span is free", async () => {
      await claims.claimRefresh(tenant, "FRA", 5);
      expect(await claims.claimRefresh(idOf(`${tenant}-2`), "FRA", 5)).toBe(true);
      expect(await claims.claimRefresh(tenant, "NRT", 5)).toBe(true);
      expect(await claims.claimRefresh(tenant, "FRA", 1)).toBe(true);
    });

    it("is free again after its seconds", async () => {
      await claims.claimRefresh(tenant, "FRA", 1);
      expect(await claims.claimRefresh(tenant, "FRA", 1)).toBe(false);
      await pause(1_050);
      expect(await claims.claimRefresh(tenant, "FRA", 1)).toBe(true);
    });
  });

  describe("an idempotency key", () => {
    const answer = { status: 201, body: { tenant_id: "acme", max_budget: 12.5, note: null, list: ["1", 2] } };

    it("is claimed once, running until it is done, and then tells the answer as it was", async () => {
      expect(await claims.claimIdempotency(key, "hash")).toEqual({ kind: "claimed" });
      expect(await claims.claimIdempotency(key, "hash")).toEqual({ kind: "running" });
      await claims.finishIdempotency(key, "hash", answer);
      expect(await claims.claimIdempotency(key, "hash")).toEqual({ kind: "done", answer });
    });

    it("with another body is told apart, running or done", async () => {
      await claims.claimIdempotency(key, "hash");
      expect(await claims.claimIdempotency(key, "other")).toEqual({ kind: "other_body" });
      await claims.finishIdempotency(key, "hash", answer);
      expect(await claims.claimIdempotency(key, "other")).toEqual({ kind: "other_body" });
    });

    it("that came to nothing is free again", async () => {
      await claims.claimIdempotency(key, "hash");
      await claims.finishIdempotency(key, "hash", null);
      expect(await claims.claimIdempotency(key, "other")).toEqual({ kind: "claimed" });
    });

    it("of another actor or route is another key", async () => {
      await claims.claimIdempotency(key, "hash");
      expect(await claims.claimIdempotency({ ...key, actor: "bob" }, "hash")).toEqual({ kind: "claimed" });
      expect(await claims.claimIdempotency({ ...key, route: "DELETE" }, "hash")).toEqual({ kind: "claimed" });
    });
  });

  describe("a notice", () => {
    it("is claimed by one message, which may come again; any other hears that it is being sent", async () => {
      expect(await claims.claimNotice(notice, "m1")).toBe("claimed");
      expect(await claims.claimNotice(notice, "m1")).toBe("claimed");
      expect(await claims.claimNotice(notice, "m2")).toBe("sending");
    });

    it("N6: of fifty messages that claim it at once one wins", async () => {
      const taken = await Promise.all(
        Array.from({ length: 50 }, (_, index) => claims.claimNotice(notice, `m${index}`)),
      );
      expect(taken.filter((claim) => claim === "claimed")).toHaveLength(1);
      expect(taken.filter((claim) => claim === "sending")).toHaveLength(49);
    });

    it("that was sent is sent for everybody, also for the message that sent it", async () => {
      await claims.claimNotice(notice, "m1");
      await claims.noteNoticeSent(notice);
      expect([await claims.claimNotice(notice, "m1"), await claims.claimNotice(notice, "m2")]).toEqual([
        "sent",
        "sent",
      ]);
    });

    it("that was sent without a claim is sent all the same", async () => {
      await claims.noteNoticeSent(notice);
      expect(await claims.claimNotice(notice, "m1")).toBe("sent");
    });

    it("that was given back is the next one's", async () => {
      await claims.claimNotice(notice, "m1");
      await claims.releaseNotice(notice);
      expect(await claims.claimNotice(notice, "m2")).toBe("claimed");
      await claims.releaseNotice({ ...notice, channelId: channelIdOf(9) });
    });

    it("of another alert or channel is another notice", async () => {
      await claims.claimNotice(notice, "m1");
      expect(await claims.claimNotice({ ...notice, channelId: channelIdOf(2) }, "m2")).toBe("claimed");
      expect(await claims.claimNotice({ ...notice, alertId: randomUUID() as AlertId }, "m2")).toBe("claimed");
    });

    it("is free a minute after its claim, and forgotten an hour after it was sent", async () => {
      await claims.claimNotice(notice, "m1");
      expect(await secondsLeft(keyOf(notice))).toBeOneOf([59, 60]);
      await claims.noteNoticeSent(notice);
      expect(await secondsLeft(keyOf(notice))).toBeOneOf([3_599, 3_600]);
      await command("PEXPIRE", keyOf(notice), "20");
      await pause(40);
      expect(await claims.claimNotice(notice, "m2")).toBe("claimed");
    });

    it("its claim is not made longer by coming again: who died while sending does not keep it for ever", async () => {
      await claims.claimNotice(notice, "m1");
      await command("EXPIRE", keyOf(notice), "10");
      await claims.claimNotice(notice, "m1");
      expect(await secondsLeft(keyOf(notice))).toBeLessThanOrEqual(10);
    });

    it("whose message is called as the claim is kept apart from what was sent", async () => {
      await claims.claimNotice(notice, "sent");
      expect(await claims.claimNotice(notice, "m2")).toBe("sending");
    });
  });

  describe("webhooks", () => {
    const names = () => Array.from({ length: 3 }, () => `key/msg_${randomUUID()}`) as [string, string, string];

    it("are done with by the messages that were noted, for ten minutes", async () => {
      const [a, b, c] = names();
      expect(await claims.webhooksDone([a, b, c])).toEqual([null, null, null]);
      await claims.noteWebhooksDone(new Map([[c, "m1"]]));
      await claims.noteWebhooksDone(new Map([[a, "m2"]]));
      expect(await claims.webhooksDone([a, b, c])).toEqual(["m2", null, "m1"]);
      for (const name of [a, c]) expect(await secondsLeft(`webhook:${name}`)).toBeOneOf([599, 600]);
    });

    it("are done with by the last message that was noted, for ten minutes from then on", async () => {
      const [name] = names();
      await claims.noteWebhooksDone(new Map([[name, "m1"]]));
      await command("EXPIRE", `webhook:${name}`, "10");
      await claims.noteWebhooksDone(new Map([[name, "m2"]]));
      expect(await claims.webhooksDone([name])).toEqual(["m2"]);
      expect(await secondsLeft(`webhook:${name}`)).toBeOneOf([599, 600]);
    });

    it.each([
      "12345678901234567890123456789012",
      "00000000000000000000000000000012",
      "123456789012345678901234567890e1",
    ])("keep a message's id as it is, although it looks like a number: %s", async (messageId) => {
      const [name] = names();
      await claims.noteWebhooksDone(new Map([[name, messageId]]));
      expect(await claims.webhooksDone([name])).toEqual([messageId]);
    });

    it("are looked for, and noted, in one trip for all of a batch", async () => {
      const batch = Array.from({ length: 100 }, (_, index) => `${names()[0]}-${index}`);
      redis.setFault({ kind: "slow", delayMs: 100 });
      const begunAt = performance.now();
      await claims.noteWebhooksDone(new Map(batch.map((name) => [name, "m1"])));
      expect(await claims.webhooksDone(batch)).toEqual(batch.map(() => "m1"));
      expect(performance.now() - begunAt).toBeLessThan(400);
    });
  });

  describe("a later read", () => {
    it("is due from its note on, for its tenant and reason alone", async () => {
      expect(await claims.isReadScheduled(tenant, "recheck-20s")).toBe(false);
      await claims.noteScheduledRead(tenant, "recheck-20s", 60);
      expect(await claims.isReadScheduled(tenant, "recheck-20s")).toBe(true);
      expect(await claims.isReadScheduled(tenant, "recheck-60s")).toBe(false);
      expect(await claims.isReadScheduled(idOf(`${tenant}-2`), "recheck-20s")).toBe(false);
    });

    it("is no longer due after its seconds", async () => {
      await claims.noteScheduledRead(tenant, "confirm", 1);
      expect(await claims.isReadScheduled(tenant, "confirm")).toBe(true);
      await pause(1_050);
      expect(await claims.isReadScheduled(tenant, "confirm")).toBe(false);
    });
  });

  const FAULTS: [string, Fault][] = [
    ["is slower than 250 ms", { kind: "slow", delayMs: 400 }],
    ["hangs", { kind: "hang" }],
    ["cuts connections", { kind: "reset" }],
    ["answers 500", { kind: "error", status: 500 }],
    ["answers 401", { kind: "error", status: 401 }],
    ["answers nonsense", { kind: "nonsense" }],
  ];
  describe.each(FAULTS)("while it %s", (_, fault) => {
    beforeEach(() => redis.setFault(fault));

    it.each<[string, () => Promise<unknown>]>([
      ["a claim of a refresh", () => claims.claimRefresh(tenant, "FRA", 5)],
      ["a claim of an idempotency key", () => claims.claimIdempotency(key, "hash")],
      ["the end of one", () => claims.finishIdempotency(key, "hash", null)],
      ["a claim of a notice", () => claims.claimNotice(notice, "m1")],
      ["the note of a sent one", () => claims.noteNoticeSent(notice)],
      ["the release of one", () => claims.releaseNotice(notice)],
      ["a look for webhooks", () => claims.webhooksDone(["key/msg_1"])],
      ["the note of them", () => claims.noteWebhooksDone(new Map([["key/msg_1", "m1"]]))],
      ["a look for a read", () => claims.isReadScheduled(tenant, "recheck-20s")],
      ["the note of one", () => claims.noteScheduledRead(tenant, "recheck-20s", 5)],
      ["a ping", () => claims.ping()],
    ])("%s is an outage of Redis, in time", async (_what, claim) => {
      const begunAt = performance.now();
      const error = await claim().then(
        (value) => `not thrown, but ${JSON.stringify(value)}`,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(Outage);
      expect(error).toMatchObject({ dependency: "redis" });
      expect(performance.now() - begunAt).toBeLessThan(380);
    });
  });

  it("stopped is an outage, and there again it works with the same client", async () => {
    await claims.ping();
    await redis.stop();
    await expect(claims.claimRefresh(tenant, "FRA", 5)).rejects.toBeInstanceOf(Outage);
    await redis.restart();
    expect(await claims.claimRefresh(tenant, "FRA", 5)).toBe(true);
  });
});

it("asks once: an outage is not made longer by trying again", async () => {
  const redis = await startUpstash({ port: 0, token: TOKEN });
  redis.setFault({ kind: "reset", times: 1 });
  await expect(upstashClaims({ url: redis.url, token: TOKEN }).ping()).rejects.toBeInstanceOf(Outage);
  await redis.stop();
});

it("connects to nothing until it is asked", () => {
  expect(() => upstashClaims({ url: "https://redis.invalid", token: TOKEN })).not.toThrow();
});
