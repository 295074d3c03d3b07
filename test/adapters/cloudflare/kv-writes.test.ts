// The pace of writes to KV, which refuses a second write of a key within a second: writes of an isolate take turns,
// equal ones are not made, and a refused one reaches KV within seconds.

import { beforeEach, describe, expect, it } from "vitest";
import { type IsolateKv, kvSnapshots, newIsolateKv } from "../../../src/adapters/cloudflare/kv-snapshots.ts";
import { UNMANAGED } from "../../../src/budget/tenant.ts";
import type { Snapshots } from "../../../src/ports/edge.ts";
import { aSpendRecord, aTenantConfig, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf, idOf } from "../../support/builders/builders.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";
import { VirtualTimers } from "../../support/fakes/virtual-timers.ts";
import { LimitedKv } from "../../support/faults/limited-kv.ts";

const acme = idOf("acme");
let timers: VirtualTimers;
let kv: LimitedKv;
let log: RecordedLog;
beforeEach(() => {
  timers = new VirtualTimers();
  kv = new LimitedKv(timers);
  log = new RecordedLog();
});

/** KV as one request sees it; requests of one isolate share `isolate`. */
function requestOf(isolate: IsolateKv): Snapshots {
  return kvSnapshots(kv.binding, isolate, {
    log,
    timers,
    clock: () => NOW + timers.elapsedMs,
    background: (what, work) => void work.catch((error: unknown) => log.error(`${what} failed`, error)),
  });
}

const config = (revision: number) => aTenantConfig({ revision });
const spendOf = (dollars: string) => aSpendRecord({ spendNanoUsd: usd(dollars) });
const writeSpend = (isolate: IsolateKv, dollars: string) => requestOf(isolate).writeSpend(config(1), spendOf(dollars));
const spendInKv = async () => {
  await requestOf(newIsolateKv()).writeConfig(config(1));
  const known = await requestOf(newIsolateKv()).tenant(acme);
  return "spend" in known ? known.spend?.spendNanoUsd : null;
};

describe("equal values", () => {
  it("writes one config for fifty requests at once that have loaded the same revision", async () => {
    const isolate = newIsolateKv();
    await Promise.all(Array.from({ length: 50 }, () => requestOf(isolate).writeConfig(config(2))));
    await timers.pass(10 * SECOND);
    expect([kv.written, kv.refused, log.lines]).toEqual([["config:acme"], 0, []]);
  });

  it("writes nothing that KV has already, from whichever isolate", async () => {
    const write = async () => {
      const snapshots = requestOf(newIsolateKv());
      await snapshots.writeConfig(config(2));
      await snapshots.writeSpend(config(2), spendOf("100"));
      await snapshots.writeOwnerOf(hashOf("a"), acme);
      await snapshots.writeOutage({ startedAt: NOW, pings: [] });
    };
    await write();
    await write();
    expect(kv.written.toSorted()).toEqual([
      "config:acme",
      "outage:litellm",
      "spend:acme",
      `tenant-of-key:${hashOf("a")}`,
    ]);
  });
});

describe("versions of a config", () => {
  const named = (name: string, revision = 2) => ({ ...config(revision), name });
  const inTurn = async (write: (snapshots: Snapshots) => Promise<void>) => {
    await write(requestOf(newIsolateKv()));
    await timers.pass(2 * SECOND);
  };
  const inKv = () => requestOf(newIsolateKv()).tenant(acme);

  it("keeps the tenant of a key against a late search that found it unmanaged, not against its deletion", async () => {
    const snapshots = requestOf(newIsolateKv());
    const key = hashOf("a");
    const written = async (owner: Parameters<Snapshots["writeOwnerOf"]>[1]) => {
      await snapshots.writeOwnerOf(key, owner);
      await timers.pass(2 * SECOND);
      return snapshots.ownerOf(key);
    };
    expect([await written(UNMANAGED), await written(acme), await written(UNMANAGED)]).toEqual([UNMANAGED, acme, acme]);
    expect([await written(null), await written(UNMANAGED)]).toEqual([null, UNMANAGED]);
  });

  it("keeps an equal config, except in a rewrite, which does not trust what KV shows", async () => {
    await inTurn((port) => port.writeConfig(named("first")));
    await inTurn((port) => port.writeConfig(named("second")));
    expect(await inKv()).toMatchObject({ config: { name: "first" } });
    await inTurn((port) => port.writeConfig(named("second"), { isRewrite: true }));
    await inTurn((port) => port.writeConfig(named("older", 1), { isRewrite: true }));
    expect(await inKv()).toMatchObject({ config: { name: "second" } });
  });

  it("keeps a tombstone against a config of its revision, also in a rewrite", async () => {
    await inTurn((port) => port.writeConfig(config(2)));
    await inTurn((port) => port.writeDeleted(acme, 2, NOW));
    await inTurn((port) => port.writeConfig(config(2), { isRewrite: true }));
    await inTurn((port) => port.writeDeleted(acme, 2, NOW + SECOND));
    expect(await inKv()).toEqual({ deletedRevision: 2, deletedAt: NOW, revision: 2 });
    await inTurn((port) => port.writeDeleted(acme, 2, NOW + SECOND, { isRewrite: true }));
    expect(await inKv()).toMatchObject({ deletedAt: NOW + SECOND });
  });

  it("lifts a tombstone only with a newer config, and ignores one older than the config", async () => {
    await inTurn((port) => port.writeDeleted(acme, 2, NOW));
    await inTurn((port) => port.writeConfig(config(1)));
    expect(await inKv()).toHaveProperty("deletedRevision");
    await inTurn((port) => port.writeConfig(config(3)));
    await inTurn((port) => port.writeDeleted(acme, 2, NOW));
    expect(await inKv()).toMatchObject({ config: { revision: 3 } });
  });

  it("overwrites a value of the same revision that it cannot read", async () => {
    kv.texts.set("config:acme", '{"revision":2,"max_budget":"-1"}');
    await inTurn((port) => port.writeConfig(config(2)));
    expect(await inKv()).toMatchObject({ config: { revision: 2 } });
  });
});

describe("writes of one isolate to one key", () => {
  it("makes the first at once and the rest as one, a second later", async () => {
    const isolate = newIsolateKv();
    for (const dollars of ["100", "104", "102", "103"]) await writeSpend(isolate, dollars);
    expect(kv.written).toEqual(["spend:acme"]);
    await timers.pass(2 * SECOND);
    expect(kv.written).toEqual(["spend:acme", "spend:acme"]);
    expect(await spendInKv()).toBe(usd("104"));
  });

  it("never lets KV refuse them, however fast they come", async () => {
    const isolate = newIsolateKv();
    for (let second = 0; second < 10; second++) {
      for (const part of [0, 1, 2]) await writeSpend(isolate, String(100 + 3 * second + part));
      await timers.pass(SECOND);
    }
    await timers.pass(5 * SECOND);
    expect([kv.refused, log.lines]).toEqual([0, []]);
    expect(await spendInKv()).toBe(usd("129"));
  });

  it("keeps the newest of the configs that wait", async () => {
    const isolate = newIsolateKv();
    for (const revision of [1, 3, 2]) await requestOf(isolate).writeConfig(config(revision));
    await timers.pass(2 * SECOND);
    expect(await requestOf(newIsolateKv()).tenant(acme)).toMatchObject({ config: { revision: 3 } });
  });

  it("writes to one key without waiting for another", async () => {
    const isolate = newIsolateKv();
    await writeSpend(isolate, "100");
    await requestOf(isolate).writeConfig(config(1));
    expect(kv.written).toEqual(["spend:acme", "config:acme"]);
  });

  it("makes them in the next request when the one that was to make them has been ended", async () => {
    const isolate = newIsolateKv();
    await writeSpend(isolate, "100");
    const ended = kvSnapshots(kv.binding, isolate, {
      log,
      timers: new VirtualTimers(),
      clock: () => NOW + timers.elapsedMs,
      background: () => undefined,
    });
    await ended.writeSpend(config(1), spendOf("110"));
    await timers.pass(10 * SECOND);
    await writeSpend(isolate, "101");
    expect(await spendInKv()).toBe(usd("110"));
  });
});

describe("a refused write", () => {
  it("reaches KV within seconds when another isolate had written the key just before", async () => {
    await writeSpend(newIsolateKv(), "100");
    await expect(writeSpend(newIsolateKv(), "110")).rejects.toThrow("kv: write");
    await timers.pass(2 * SECOND);
    expect(await spendInKv()).toBe(usd("110"));
    expect([kv.refused, log.lines]).toEqual([1, []]);
  });

  it("gets repeated together with a later change of the key, as one write", async () => {
    const isolate = newIsolateKv();
    await writeSpend(newIsolateKv(), "100");
    await writeSpend(isolate, "110").catch(() => undefined);
    await writeSpend(isolate, "111");
    await timers.pass(2 * SECOND);
    expect(await spendInKv()).toBe(usd("111"));
    expect(kv.written.filter((key) => key === "spend:acme")).toHaveLength(2);
  });

  it("repeats a write twice in five seconds while KV is away, and leaves the next write alone", async () => {
    const isolate = newIsolateKv();
    kv.isAway = true;
    await expect(writeSpend(isolate, "110")).rejects.toThrow("kv: read");
    await timers.pass(30 * SECOND);
    expect([kv.reads, log.lines]).toEqual([3, []]);
    kv.isAway = false;
    await writeSpend(isolate, "120");
    expect(await spendInKv()).toBe(usd("120"));
  });

  it("logs a write once that fails after it has waited for its turn", async () => {
    const isolate = newIsolateKv();
    await writeSpend(isolate, "100");
    await writeSpend(isolate, "110");
    kv.isAway = true;
    await timers.pass(30 * SECOND);
    expect(log.lines).toEqual([expect.stringContaining("error kv spend write failed")]);
  });
});
