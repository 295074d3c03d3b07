// Publishing to the edge through the real adapter, to a KV that takes one write a second for each key: equal versions
// are not written, and no trouble of KV fails what is published.

import { beforeEach, describe, expect, it } from "vitest";
import { IsolateMemory } from "../../../src/adapters/cloudflare/isolate-memory.ts";
import { kvSnapshots, newIsolateKv } from "../../../src/adapters/cloudflare/kv-snapshots.ts";
import type { TenantConfig } from "../../../src/budget/tenant.ts";
import {
  publishConfig,
  publishDeletion,
  publishNewTenant,
  publishOwner,
  publishPeriod,
  publishRead,
  rememberTenant,
  writeConfig,
  writeDeleted,
  writeSpend,
} from "../../../src/flows/edge/publish.ts";
import { publishSpend } from "../../../src/flows/edge/publish-spend.ts";
import { rewriteConfig } from "../../../src/flows/edge/rewrite-config.ts";
import { anOverride, aSpendRecord, aTenantConfig, DAY, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { aTenant, hashOf, idOf } from "../../support/builders/builders.ts";
import { FakeSpendQueue } from "../../support/fakes/fake-spend-queue.ts";
import { FakeTenants } from "../../support/fakes/fake-tenants.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";
import { VirtualTimers } from "../../support/fakes/virtual-timers.ts";
import { LimitedKv } from "../../support/faults/limited-kv.ts";

const acme = idOf("acme");
const team = { kind: "team", id: "red" } as const;
const config = aTenantConfig({ revision: 2, subject: team });
const spendOf = (dollars: string) => aSpendRecord({ spendNanoUsd: usd(dollars) });
const now = () => NOW + timers.elapsedMs;

let timers: VirtualTimers;
let kv: LimitedKv;
let log: RecordedLog;
let postgres: FakeTenants;
let isolate: ReturnType<typeof newIsolate>;
beforeEach(() => {
  timers = new VirtualTimers();
  kv = new LimitedKv(timers);
  log = new RecordedLog();
  postgres = new FakeTenants();
  isolate = newIsolate();
});

function newIsolate() {
  const background = (what: string, work: Promise<unknown>) =>
    void work.catch((error: unknown) => log.error(`${what} failed`, error));
  const snapshots = kvSnapshots(kv.binding, newIsolateKv(), { log, timers, clock: now, background });
  return { memory: new IsolateMemory(), snapshots, spendQueue: new FakeSpendQueue(), tenants: postgres, log };
}

const inKv = () => newIsolate().snapshots.tenant(acme);
const writesOf = (key: string) => kv.written.filter((written) => written === key).length;
/** KV as if a slower writer had put this into the place of a newer value. */
const overwriteInKv = async (older: TenantConfig) => {
  kv.texts.delete("config:acme");
  await timers.pass(2 * SECOND);
  await newIsolate().snapshots.writeConfig(older);
  await timers.pass(2 * SECOND);
};

describe("a config that KV has", () => {
  it("writes nothing for a check that loaded the config from Postgres because KV was slow, in whichever isolate", async () => {
    await writeConfig(config, now(), isolate);
    for (let check = 0; check < 20; check++) {
      await timers.pass(3 * SECOND);
      await writeConfig(config, now(), check % 2 === 0 ? isolate : newIsolate());
    }
    expect([writesOf("config:acme"), kv.refused, log.lines]).toEqual([1, 0, []]);
  });

  it("writes a config once for fifty keys of its team that are seen for the first time", async () => {
    const keys = Array.from({ length: 50 }, (_, n) => hashOf(String.fromCharCode(0x4e00 + n)));
    const isolates = [isolate, newIsolate(), newIsolate()];
    for (const [index, keyHash] of keys.entries()) {
      const deps = isolates[index % 3] ?? isolate;
      await publishOwner({ caller: keyHash, owner: acme, expires: true, now: now() }, deps);
      await writeConfig(config, now(), deps);
    }
    await timers.pass(10 * SECOND);
    expect([kv.written.length, writesOf("config:acme"), kv.refused]).toEqual([51, 1, 0]);
  });

  it("looks once a minute and isolate whether KV has the config, and writes it again if KV has lost it", async () => {
    for (let seconds = 0; seconds < 59; seconds++) {
      await writeConfig(config, now(), isolate);
      await timers.pass(SECOND);
    }
    expect([kv.reads, writesOf("config:acme")]).toEqual([1, 1]);
    kv.texts.clear();
    await timers.pass(SECOND);
    await writeConfig(config, now(), isolate);
    expect(await inKv()).toMatchObject({ config });
  });

  it("keeps a config against an older one, even while KV shows a copy that is older still", async () => {
    await writeConfig(aTenantConfig({ revision: 3 }), now(), isolate);
    await overwriteInKv(aTenantConfig({ revision: 1 }));
    await writeConfig(aTenantConfig({ revision: 2 }), now(), isolate);
    expect(writesOf("config:acme")).toBe(2);
  });
});

describe("a rewrite", () => {
  it("writes the config of Postgres again, because KV may show a copy that has been overwritten since", async () => {
    postgres.has(aTenant({ config }));
    await writeConfig(config, now(), isolate);
    await timers.pass(5 * SECOND);
    await rewriteConfig({ tenantId: acme, now: now() }, isolate);
    expect(writesOf("config:acme")).toBe(2);
  });

  it("puts the newer config back into the place of an older one, and leaves one that is newer still", async () => {
    postgres.has(aTenant({ config }));
    await overwriteInKv(aTenantConfig({ revision: 1 }));
    await rewriteConfig({ tenantId: acme, now: now() }, newIsolate());
    expect(await inKv()).toMatchObject({ config: { revision: 2 } });
    await overwriteInKv(aTenantConfig({ revision: 3 }));
    await rewriteConfig({ tenantId: acme, now: now() }, newIsolate());
    expect(await inKv()).toMatchObject({ config: { revision: 3 } });
  });

  it("writes a tombstone over the config of a deleted tenant, and of one whose row is gone", async () => {
    await writeConfig(config, now(), isolate);
    await timers.pass(5 * SECOND);
    await rewriteConfig({ tenantId: acme, now: now() }, isolate);
    expect(await inKv()).toMatchObject({ deletedRevision: 2 });
    postgres.has(aTenant({ config: { ...config, revision: 4 }, deletedAt: NOW }));
    await timers.pass(5 * SECOND);
    await rewriteConfig({ tenantId: acme, now: now() }, isolate);
    expect(await inKv()).toMatchObject({ deletedRevision: 4 });
  });

  it("writes no tombstone for a tenant that neither Postgres nor KV has, or that has one", async () => {
    await rewriteConfig({ tenantId: acme, now: now() }, isolate);
    expect(kv.written).toEqual([]);
    await writeDeleted(config, now(), isolate);
    await rewriteConfig({ tenantId: acme, now: now() }, isolate);
    await timers.pass(5 * SECOND);
    expect(writesOf("config:acme")).toBe(1);
  });
});

describe("a KV that refuses or is away", () => {
  const tenant = aTenant({ config: aTenantConfig({ revision: 2 }), spend: spendOf("100") });
  const read = { config: tenant.config, before: null, spend: spendOf("100") };
  it.each<[string, () => Promise<unknown>]>([
    ["a change", () => publishConfig(tenant, now(), isolate)],
    ["a new period", () => publishPeriod(tenant, now(), isolate)],
    ["a new tenant", () => publishNewTenant(tenant, now(), isolate)],
    ["a deletion", () => publishDeletion(tenant, now(), isolate)],
    ["a key that a check has found", () => publishOwner({ caller: hashOf("a"), owner: acme, now: now() }, isolate)],
    ["a read of a check", () => publishRead({ ...read, now: now() }, isolate)],
    ["the spend of queue messages", () => publishSpend({ tenant, isAnnounced: false, now: now() }, isolate)],
    ["a rewrite", () => rewriteConfig({ tenantId: acme, now: now() }, isolate)],
  ])("does not fail %s, and is logged", async (_, publish) => {
    kv.isAway = true;
    await publish();
    expect(log.lines).not.toEqual([]);
    expect(log.lines.every((line) => line.startsWith("error kv "))).toBe(true);
  });

  it("has what it refused within seconds", async () => {
    kv.isAway = true;
    await publishPeriod(tenant, now(), isolate);
    kv.isAway = false;
    await timers.pass(5 * SECOND);
    expect(await inKv()).toEqual({ config: tenant.config, spend: tenant.spend });
  });

  it("fails no batch of messages when three a second rise by a percent, and ends with the newest spend", async () => {
    const isolates = [isolate, newIsolate()];
    await publishPeriod(tenant, now(), isolate);
    for (let batch = 1; batch <= 30; batch++) {
      const deps = isolates[batch % 2] ?? isolate;
      const spent = spendOf(String(100 + 6 * batch));
      await publishSpend({ tenant: { ...tenant, spend: spent }, isAnnounced: false, now: now() }, deps);
      await timers.pass(333);
    }
    await timers.pass(10 * SECOND);
    expect(await inKv()).toMatchObject({ spend: { spendNanoUsd: usd("280") } });
  });

  it("gets the config again by the rewrites, which the queue may refuse as well", async () => {
    await publishConfig(tenant, now(), isolate);
    expect(isolate.spendQueue.sent.map(({ delaySeconds }) => delaySeconds)).toEqual([5, 65]);
    isolate.spendQueue.isAway = true;
    await publishConfig({ ...tenant, config: { ...tenant.config, revision: 3 } }, now(), isolate);
    expect(log.lines.filter((line) => line.includes("config rewrite enqueue failed"))).toHaveLength(2);
  });
});

describe("a read of a check", () => {
  it("writes the read when it is news, and not when Gate has only added the cost of a call", async () => {
    const input = { config, before: spendOf("100"), spend: spendOf("200"), now: now() };
    await publishRead({ ...input, spend: { ...input.spend, source: "gate" } }, isolate);
    expect(kv.written).toEqual([]);
    await publishRead(input, isolate);
    await publishRead({ ...input, before: input.spend }, isolate);
    expect(kv.written).toEqual(["spend:acme"]);
  });

  it("joins what the isolate remembers", () => {
    rememberTenant({ config, spend: spendOf("200") }, now(), isolate);
    const joined = rememberTenant({ config: { ...config, revision: 1 }, spend: spendOf("100") }, now(), isolate);
    expect(joined).toEqual({ config, spend: spendOf("200") });
    expect(isolate.memory.tenant(acme)).toMatchObject(joined);
  });

  it("writes nothing when there is no spend", async () => {
    await writeSpend(config, null, isolate);
    expect(kv.written).toEqual([]);
  });
});

it("keeps a tenant of five thousand ended overrides small in KV, with the same limit and limit version", async () => {
  const ended = Array.from({ length: 5_000 }, (_, n) =>
    anOverride({ id: `ended-${n}`, createdAt: NOW - 30 * DAY, expiresAt: NOW - DAY - n * MINUTE }),
  );
  await publishConfig(aTenant({ config: { ...config, overrides: [...ended, anOverride()] } }), now(), isolate);
  expect(kv.texts.get("config:acme")?.length).toBeLessThan(1_000);
  expect(await inKv()).toMatchObject({ config: { overrides: [anOverride()], endedOverrides: 5_000 } });
});
