// Publishing a tenant's spend from Postgres to the edge: compared with what KV has, never with what it should have.

import { beforeEach, describe, expect, it } from "vitest";
import { IsolateMemory } from "../../../src/adapters/cloudflare/isolate-memory.ts";
import { publishSpend } from "../../../src/flows/edge/publish-spend.ts";
import { aSpendRecord, aTenantConfig, NOW, usd } from "../../budget/builders.ts";
import { aTenant, idOf } from "../../support/builders/builders.ts";
import { FakeSnapshots } from "../../support/fakes/fake-snapshots.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";

const acme = idOf("acme");
const config = aTenantConfig({ revision: 2 });
const spend = aSpendRecord({ spendNanoUsd: usd("450") });

let deps: { memory: IsolateMemory; snapshots: FakeSnapshots; log: RecordedLog };
beforeEach(() => {
  deps = { memory: new IsolateMemory(), snapshots: new FakeSnapshots(), log: new RecordedLog() };
});

const spread = (tenant = aTenant({ config, spend }), isAnnounced = false) =>
  publishSpend({ tenant, isAnnounced, now: NOW }, deps);
const written = () => ({ config: deps.snapshots.configs.get(acme), spend: deps.snapshots.spends.get(acme) });

describe("publishing to KV", () => {
  it("writes config and spend when KV has nothing", async () => {
    await spread();
    expect(written()).toEqual({ config, spend });
  });

  it("writes config and spend over a tombstone of an earlier tenant", async () => {
    await deps.snapshots.writeDeleted(acme, 1, NOW);
    await spread();
    expect(written()).toEqual({ config, spend });
  });

  it("writes the spend over equal spend of an earlier subject", async () => {
    const former = aTenantConfig({ revision: 1, subject: { kind: "team", id: "red" } });
    await deps.snapshots.writeConfig(former);
    await deps.snapshots.writeSpend(former, { ...spend, source: "gate" });
    deps.memory.rememberWritten(acme, { revision: 2 });
    // So that only the difference decides.
    deps.memory.throttle("snapshot:acme", 15, NOW);
    await spread();
    expect(written().spend).toEqual(spend);
  });

  it("writes the config alone over an older one when there is no spend", async () => {
    await deps.snapshots.writeConfig(aTenantConfig({ revision: 1 }));
    await spread(aTenant({ config, spend: null }));
    expect(written()).toEqual({ config, spend: undefined });
  });

  it("writes nothing when KV has the config and the check has published the spend", async () => {
    await deps.snapshots.writeConfig(config);
    await spread(aTenant({ config, spend }), true);
    expect(written()).toEqual({ config, spend: undefined });
  });
});

it("remembers the spend in this isolate whatever KV needs", async () => {
  await spread();
  expect(deps.memory.tenant(acme)).toMatchObject({ config, spend, checkedAt: NOW });
});
