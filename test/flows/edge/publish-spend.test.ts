// What Postgres has of a tenant's figure, told to the edge: compared with what KV has, never with what it should have.

import { beforeEach, describe, expect, it } from "vitest";
import { IsolateMemory } from "../../../src/adapters/cloudflare/isolate-memory.ts";
import { publishSpend } from "../../../src/flows/edge/publish-spend.ts";
import { aSpendRecord, aTenantConfig, NOW, usd } from "../../budget/builders.ts";
import { aTenant, idOf } from "../../support/builders.ts";
import { FakeSnapshots } from "../../support/fake-snapshots.ts";

const acme = idOf("acme");
const config = aTenantConfig({ revision: 2 });
const spend = aSpendRecord({ spendNanoUsd: usd("450") });

let deps: { memory: IsolateMemory; snapshots: FakeSnapshots };
beforeEach(() => {
  deps = { memory: new IsolateMemory(), snapshots: new FakeSnapshots() };
});

const spread = (tenant = aTenant({ config, spend }), isAnnounced = false) =>
  publishSpend({ tenant, isAnnounced, now: NOW }, deps);
const written = () => ({ config: deps.snapshots.configs.get(acme), spend: deps.snapshots.spends.get(acme) });

describe("KV has", () => {
  it("nothing: config and figure are written", async () => {
    await spread();
    expect(written()).toEqual({ config, spend });
  });

  it("a tombstone of an earlier tenant: both are written over it", async () => {
    await deps.snapshots.writeDeleted(acme, 1, NOW);
    await spread();
    expect(written()).toEqual({ config, spend });
  });

  it("the figure of an earlier subject, which is as high: the present one's is written", async () => {
    const former = aTenantConfig({ revision: 1, subject: { kind: "team", id: "red" } });
    await deps.snapshots.writeConfig(former);
    await deps.snapshots.writeSpend(former, { ...spend, source: "gate" });
    deps.memory.rememberWritten(acme, { revision: 2 });
    // So that only the difference decides.
    deps.memory.throttle("snapshot:acme", 15, NOW);
    await spread();
    expect(written().spend).toEqual(spend);
  });

  it("an older config, and there is no figure: the config is written alone", async () => {
    await deps.snapshots.writeConfig(aTenantConfig({ revision: 1 }));
    await spread(aTenant({ config, spend: null }));
    expect(written()).toEqual({ config, spend: undefined });
  });

  it("the config, and whoever read the figure has told of it: nothing is written", async () => {
    await deps.snapshots.writeConfig(config);
    await spread(aTenant({ config, spend }), true);
    expect(written()).toEqual({ config, spend: undefined });
  });
});

it("this isolate remembers it whatever KV needs", async () => {
  await spread();
  expect(deps.memory.tenant(acme)).toMatchObject({ config, spend, checkedAt: NOW });
});
