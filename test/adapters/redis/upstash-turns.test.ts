// The turns of a channel on each Redis backend: a second apart, and critical notices first.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Part } from "../../../dev/part.ts";
import { startUpstash } from "../../../dev/upstash/start-upstash.ts";
import { upstashClaims } from "../../../src/adapters/redis/upstash-claims.ts";
import type { Claims, TurnRequest } from "../../../src/ports/ports.ts";
import type { ChannelId } from "../../../src/records/channel.ts";
import { SECOND } from "../../budget/builders.ts";

const TOKEN = "a-token";
const PATIENCE_MS = 10_000;
const redisUrl = process.env["TEST_REDIS_URL"];
const backends = [redisUrl ? { store: "real Redis", options: { redisUrl } } : { store: "embedded Redis", options: {} }];

describe.each(backends)("turns in $store", ({ options }) => {
  let redis: Part;
  let claims: Claims;
  let channelId: ChannelId;
  let now: number;
  beforeAll(async () => {
    redis = await startUpstash({ port: 0, token: TOKEN, ...options });
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    claims = upstashClaims({ url: redis.url, token: TOKEN, timeoutMs: PATIENCE_MS });
    channelId = randomUUID() as ChannelId;
    now = Date.now();
  });
  const reserve = async (priority: TurnRequest["priority"], { at = now, held = null as number | null } = {}) =>
    (await claims.reserveTurn({ channelId, priority, held, notBefore: at, intervalMs: SECOND })) - now;

  it("are one interval apart, and not before the instant that is asked for", async () => {
    expect([await reserve("others"), await reserve("others"), await reserve("others")]).toEqual([0, 1_000, 2_000]);
    expect([await reserve("others", { at: now + 9_000 }), await reserve("others")]).toEqual([9_000, 10_000]);
  });

  it("are given to each of many at once", async () => {
    const turns = await Promise.all(Array.from({ length: 20 }, () => reserve("others")));
    expect(new Set(turns).size).toBe(20);
  });

  it("come first for critical notices, and are kept by others only until a critical one comes", async () => {
    for (let index = 0; index < 5; index++) await reserve("others");
    expect(await reserve("others", { held: now + 4_000 })).toBe(4_000);
    expect([await reserve("critical"), await reserve("critical")]).toEqual([0, 1_000]);
    expect(await reserve("others", { held: now + 1_000 })).toBe(5_000);
    expect(await reserve("others", { held: now + 4_000 })).toBe(4_000);
  });

  it("are forgotten a minute after the last one", async () => {
    await reserve("others");
    const left = await fetch(redis.url, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify(["PTTL", `pace:${channelId}:others`]),
    });
    const { result } = (await left.json()) as { result: number };
    expect(result).toBeGreaterThan(30_000);
    expect(result).toBeLessThanOrEqual(61_000);
  });
});
