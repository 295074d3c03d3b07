// Snapshots in real KV: values round-trip, an older value never wins, and an unparseable value reads as missing.

import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { configJson } from "../../src/adapters/cloudflare/kv-codec.ts";
import { kvSnapshots, newIsolateKv } from "../../src/adapters/cloudflare/kv-snapshots.ts";
import { realTimers } from "../../src/adapters/cloudflare/timers.ts";
import { NO_OUTAGE } from "../../src/budget/failure.ts";
import { UNMANAGED } from "../../src/budget/tenant.ts";
import type { Snapshots } from "../../src/ports/edge.ts";
import { Outage } from "../../src/ports/outage.ts";
import { anOverride, aSpendRecord, aTenantConfig, DAY, MINUTE, NOW, RESET, SECOND, usd } from "../budget/builders.ts";
import { hashOf, idOf } from "../support/builders/builders.ts";
import { RecordedLog } from "../support/fakes/recorded-log.ts";

const kv = env.SNAPSHOTS;
const acme = idOf("acme");
let log: RecordedLog;
let snapshots: Snapshots;
let elapsedMs = 0;
/** Time passes from call to call, so that no write waits for its turn. */
const snapshotsOf = (namespace: KVNamespace, isolate = newIsolateKv()) =>
  kvSnapshots(namespace, isolate, {
    log,
    timers: realTimers,
    clock: () => {
      elapsedMs += MINUTE;
      return NOW + elapsedMs;
    },
    background: (_, work) => void work.catch(() => undefined),
  });
beforeEach(() => {
  log = new RecordedLog();
  snapshots = snapshotsOf(kv);
});
afterEach(() => reset());
const MOST = 10n ** 24n - 1n;
const configOf = async () => {
  const known = await snapshots.tenant(acme);
  return "config" in known ? known.config : known;
};
/** KV returns spend only with the config of its subject. */
const spendOf = async () => {
  await snapshots.writeConfig(aTenantConfig());
  const known = await snapshots.tenant(acme);
  return "spend" in known ? known.spend : known;
};

describe("round trips", () => {
  it.each([
    ["the usual", aTenantConfig()],
    [
      "every field set",
      aTenantConfig({
        name: "Acme & Söhne 🐻",
        subject: { kind: "team", id: "team-1" },
        maxBudgetNanoUsd: usd("412.500000001"),
        alertThreshold: 8_550n,
        graceThreshold: 15_000n,
        budgetDuration: "1mo",
        configVersion: 7,
        revision: Number.MAX_SAFE_INTEGER,
        enforcement: "observe",
        failPolicy: "closed",
        suspendedAt: NOW,
        overrides: [anOverride(), anOverride({ id: "o2", amountNanoUsd: MOST, revokedAt: NOW })],
      }),
    ],
    [
      "every field that can be null",
      aTenantConfig({ budgetDuration: null, budgetResetAt: null, litellmKeyLastReset: null, maxBudgetNanoUsd: 0n }),
    ],
    ["the most money there is", aTenantConfig({ maxBudgetNanoUsd: MOST })],
    ["the least", aTenantConfig({ maxBudgetNanoUsd: 1n })],
    ["before 1970", aTenantConfig({ subjectCreatedAt: -DAY })],
  ])("returns a config: %s", async (_, config) => {
    await snapshots.writeConfig(config);
    expect(await configOf()).toEqual(config);
  });

  it.each([
    ["the usual", aSpendRecord()],
    [
      "every field that can be null",
      aSpendRecord({ readAt: null, resetsAt: null, source: "webhook", spendNanoUsd: 0n }),
    ],
    ["the most money there is", aSpendRecord({ spendNanoUsd: MOST, spendRateNanoUsdPerSecond: MOST, source: "gate" })],
    ["the least", aSpendRecord({ spendNanoUsd: 1n, spendRateNanoUsdPerSecond: 1n, source: "events" })],
  ])("returns spend: %s", async (_, record) => {
    await snapshots.writeSpend(aTenantConfig(), record);
    expect(await spendOf()).toEqual(record);
  });

  it("returns the tenant of a key or team, one that has none any more, and one that is unmanaged", async () => {
    for (const owner of [UNMANAGED, acme, null] as const) {
      for (const caller of [hashOf("a"), "team:team 1/a"] as const) {
        await snapshots.writeOwnerOf(caller, owner);
        expect(await snapshots.ownerOf(caller)).toBe(owner);
      }
    }
  });

  it("returns LiteLLM's outage with its pings, and its end", async () => {
    expect(await snapshots.outageNote()).toEqual(NO_OUTAGE);
    const note = { startedAt: NOW, pings: [{ at: NOW, hasAnswered: false }] };
    await snapshots.writeOutage(note);
    expect(await snapshots.outageNote()).toEqual(note);
    await snapshots.writeOutage(NO_OUTAGE);
    expect(await snapshots.outageNote()).toEqual(NO_OUTAGE);
  });

  it("returns nothing for a tenant that was never written", async () => {
    expect(await snapshots.tenant(acme)).toEqual({ config: null, spend: null });
    expect(log.lines).toEqual([]);
  });
});

describe("the cache of decoded values", () => {
  it("misses once another writer changed the text", async () => {
    const [first, second] = [aTenantConfig({ revision: 1 }), aTenantConfig({ revision: 2 })];
    await snapshots.writeConfig(first);
    expect([await configOf(), await configOf()]).toEqual([first, first]);
    await kv.put("config:acme", JSON.stringify(configJson(second)));
    expect(await configOf()).toEqual(second);
    await kv.put("config:acme", "unparseable values");
    expect(await configOf()).toBeNull();
    await kv.delete("config:acme");
    expect(await configOf()).toBeNull();
  });

  it("serves every request of an isolate the same value", async () => {
    const isolate = newIsolateKv();
    await snapshotsOf(kv, isolate).writeConfig(aTenantConfig());
    const first = await snapshotsOf(kv, isolate).tenant(acme);
    const second = await snapshotsOf(kv, isolate).tenant(acme);
    if (!("config" in first && "config" in second)) throw new Error("expected a config");
    expect(second.config).toBe(first.config);
    expect(first).toEqual({ config: aTenantConfig(), spend: null });
  });
});

describe("money in KV", () => {
  it("stores money as a decimal string, so that no JSON parser rounds it", async () => {
    await snapshots.writeConfig(aTenantConfig({ maxBudgetNanoUsd: usd("0.1") }));
    expect(await kv.get("config:acme", "json")).toMatchObject({ max_budget: "0.1", alert_threshold: 8000 });
    await snapshots.writeSpend(aTenantConfig(), aSpendRecord({ spendNanoUsd: MOST }));
    expect(await kv.get("spend:acme", "json")).toMatchObject({ record: { spend: "999999999999999.999999999" } });
  });
});

describe("conflicting writes", () => {
  const of = (revision: number) => aTenantConfig({ revision, name: `revision ${revision}` });

  it.each([
    ["a newer config", 1, 2, 2],
    ["not an older one", 2, 1, 2],
  ])("%s", async (_, first, second, wins) => {
    await snapshots.writeConfig(of(first));
    await snapshots.writeConfig(of(second));
    expect(await configOf()).toEqual(of(wins));
  });

  it("hides the deleted config and older ones behind a tombstone", async () => {
    for (const revision of [1, 2]) {
      await snapshots.writeConfig(of(revision));
      await snapshots.writeDeleted(acme, 2, NOW);
      expect(await snapshots.tenant(acme)).toHaveProperty("deletedRevision");
    }
  });

  it("hides the spend behind a tombstone", async () => {
    await snapshots.writeSpend(aTenantConfig(), aSpendRecord());
    await snapshots.writeDeleted(acme, 1, NOW);
    expect(await snapshots.tenant(acme)).toHaveProperty("deletedRevision");
  });

  it("merges spend with the stored spend, in either order", async () => {
    const low = aSpendRecord({ spendNanoUsd: usd("1"), observedAt: NOW + SECOND, readAt: NOW + SECOND });
    const high = aSpendRecord({ spendNanoUsd: usd("2") });
    for (const [first, second] of [[low, high] as const, [high, low] as const]) {
      await snapshots.writeSpend(aTenantConfig(), first);
      await snapshots.writeSpend(aTenantConfig(), second);
      expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("2"), readAt: NOW + SECOND });
      await reset();
    }
  });

  it("neither returns nor merges spend of another subject", async () => {
    const before = aTenantConfig({ subject: { kind: "key", id: hashOf("b") }, revision: 1 });
    await snapshots.writeSpend(before, aSpendRecord({ spendNanoUsd: usd("600"), periodStartedAt: RESET }));
    expect(await spendOf()).toBeNull();
    await snapshots.writeSpend(aTenantConfig(), aSpendRecord({ spendNanoUsd: usd("1") }));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("1") });
  });

  it("prefers a later period to a higher spend", async () => {
    await snapshots.writeSpend(aTenantConfig(), aSpendRecord({ spendNanoUsd: usd("500") }));
    await snapshots.writeSpend(
      aTenantConfig(),
      aSpendRecord({ spendNanoUsd: 0n, periodStartedAt: RESET, observedAt: RESET + MINUTE }),
    );
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n, periodStartedAt: RESET });
  });
});

describe("unparseable values", () => {
  const json = configJson(aTenantConfig());
  it.each<[string, string]>([
    ["no JSON", "{"],
    ["null", "null"],
    ["another shape", '{"a":1}'],
    ["empty", ""],
    ["a negative budget", JSON.stringify({ ...json, max_budget: "-1" })],
    ["a budget that is a number", JSON.stringify({ ...json, max_budget: 500 })],
    ["an unknown enforcement", JSON.stringify({ ...json, enforcement: "maybe" })],
    ["a broken threshold", JSON.stringify({ ...json, alert_threshold: 80.5 })],
    ["a missing field", JSON.stringify({ ...json, overrides: undefined })],
  ])("reads an unparseable config as missing, logs it without its text, and overwrites it: %s", async (_, text) => {
    await kv.put("config:acme", text);
    await snapshots.writeSpend(aTenantConfig(), aSpendRecord());
    expect(await snapshots.tenant(acme)).toEqual({ config: null, spend: null });
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toContain('error unparseable kv value {"kind":"config"}');
    await snapshots.writeConfig(aTenantConfig());
    expect(await configOf()).toEqual(aTenantConfig());
  });

  it("returns the config beside unparseable spend", async () => {
    await snapshots.writeConfig(aTenantConfig());
    await kv.put("spend:acme", '{"spend":"NaN"}');
    expect(await snapshots.tenant(acme)).toEqual({ config: aTenantConfig(), spend: null });
    expect(log.lines[0]).toContain('{"kind":"spend"}');
    await snapshots.writeSpend(aTenantConfig(), aSpendRecord());
    expect(await spendOf()).toEqual(aSpendRecord());
  });

  it("reads an unparseable tenant of a key or outage as missing", async () => {
    await kv.put(`tenant-of-key:${hashOf("a")}`, "acme");
    await kv.put("outage:litellm", '{"started_at":"today"}');
    expect([await snapshots.ownerOf(hashOf("a")), await snapshots.outageNote()]).toEqual([null, NO_OUTAGE]);
    expect(log.lines).toHaveLength(2);
  });
});

describe("the tenant of a key", () => {
  it("expires after an hour when resolved through a team, after five minutes when unmanaged, else never", async () => {
    const begunAt = Math.floor(Date.now() / 1_000);
    await snapshots.writeOwnerOf(hashOf("a"), acme, { expires: true });
    await snapshots.writeOwnerOf(hashOf("b"), acme);
    await snapshots.writeOwnerOf(hashOf("c"), UNMANAGED);
    const seconds = Math.ceil(Date.now() / 1_000) - begunAt;
    const { keys } = await kv.list({ prefix: "tenant-of-key:" });
    const [ofTeam = 0, own, unmanaged = 0] = keys.map(({ expiration: at }) => at && at - begunAt);
    const isLate = [ofTeam < 3_600, ofTeam > 3_600 + seconds, unmanaged < 300, unmanaged > 300 + seconds];
    expect([...isLate, own]).toEqual([false, false, false, false, undefined]);
  });
});

describe("KV failures", () => {
  const broken = (trouble: () => Promise<never>) =>
    snapshotsOf({ get: trouble, put: trouble } as unknown as KVNamespace);

  it.each<[string, (broken: Snapshots) => Promise<unknown>]>([
    ["writing a config", (port) => port.writeConfig(aTenantConfig())],
    ["writing a tombstone", (port) => port.writeDeleted(acme, 1, NOW)],
    ["writing a spend", (port) => port.writeSpend(aTenantConfig(), aSpendRecord())],
    ["writing a key", (port) => port.writeOwnerOf(hashOf("a"), acme)],
    ["writing an outage", (port) => port.writeOutage(NO_OUTAGE)],
    ["a ping", (port) => port.ping()],
  ])("throws an outage of KV: %s", async (_, work) => {
    const error = await work(broken(async () => Promise.reject(new Error("429")))).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Outage);
    expect(error).toMatchObject({ dependency: "kv" });
  });

  it("throws KV's own error to a check, which has its own deadline", async () => {
    const port = broken(async () => Promise.reject(new Error("429")));
    await expect(port.tenant(acme)).rejects.toThrow("429");
    await expect(port.ownerOf(hashOf("a"))).rejects.toThrow("429");
  });

  it("times out after two seconds", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const settled = broken(() => new Promise(() => {}))
        .ping()
        .then(
          () => "answered",
          (error: unknown) => error,
        );
      await vi.advanceTimersByTimeAsync(1_999);
      expect(await Promise.race([settled, "waiting"])).toBe("waiting");
      await vi.advanceTimersByTimeAsync(1);
      expect(await settled).toMatchObject({ dependency: "kv" });
    } finally {
      vi.useRealTimers();
    }
  });
});
