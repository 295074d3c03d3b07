// Claims on every Redis there is: taken once, freed in time; and a Redis in trouble is an outage, never "taken".

import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Fault, Part } from "../../dev/part.ts";
import { startUpstash } from "../../dev/upstash/start-upstash.ts";
import { upstashClaims } from "../../src/adapters/upstash-claims.ts";
import { Outage } from "../../src/outage.ts";
import type { Claims, IdempotencyKey } from "../../src/ports.ts";
import { idOf } from "../support/builders.ts";

const TOKEN = "a-token";
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

  beforeAll(async () => {
    redis = await startUpstash({ port: 0, token: TOKEN, ...options });
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    claims = upstashClaims({ url: redis.url, token: TOKEN });
    tenant = idOf(`t-${randomUUID()}`);
    key = { actor: "alice", route: "POST /v1/tenants", key: randomUUID() };
  });
  afterEach(() => redis.setFault(null));

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
      await new Promise((resolve) => setTimeout(resolve, 1_050));
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
