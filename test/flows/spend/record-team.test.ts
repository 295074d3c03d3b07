// A team tenant: several keys, one budget. Calls of its keys add up; webhooks about its keys are hints.

import { beforeEach, describe, expect, it } from "vitest";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { MINUTE, NOW, usd } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { aCall, aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const { world, deps, deliver, notices, spendOf } = useSpendWorld();

beforeEach(async () => {
  await world.manage("POST", "/team/new", { team_id: "red", max_budget: 100 });
  const origin = { kind: "adopted", subject: { kind: "team", id: "red" } } as const;
  world.now = NOW - MINUTE;
  await createTenant(ownKeyInput({ tenantId: idOf("red"), origin }), deps);
  world.now = NOW;
  world.litellm.clearRequests();
});

const reads = () => world.litellm.requests().map(({ path }) => path);
const call = (key: string, cost: string | null) => aCall(sha256(key), cost, { teamId: "red" });

describe("calls of a team's keys", () => {
  it("add up: 50 keys in a batch, and no read", async () => {
    await deliver(...Array.from({ length: 50 }, (_, index) => call(`sk-${index}`, "1.7")));
    expect(reads()).toEqual([]);
    expect(await spendOf("red")).toMatchObject({ spendNanoUsd: usd("85"), source: "events" });
    expect(await notices()).toEqual(["threshold_crossed"]);
  });

  it("without a cost cause one read of the team, however many they are", async () => {
    world.litellm.setSpend("red", 85);
    await deliver(...Array.from({ length: 50 }, (_, index) => call(`sk-${index}`, null)));
    expect(reads()).toEqual(["/team/info"]);
    expect(await spendOf("red")).toMatchObject({ spendNanoUsd: usd("85"), source: "litellm" });
  });

  it("count for the key too when it is a tenant itself", async () => {
    await world.manage("POST", "/key/generate", { key: "sk-own", max_budget: 50, team_id: "red" });
    const origin = { kind: "adopted", subject: { kind: "key", id: sha256("sk-own") } } as const;
    await createTenant(ownKeyInput({ tenantId: idOf("own"), origin, settings: { budgetDuration: null } }), deps);
    await deliver(call("sk-own", "7"), call("sk-other", "2"));
    expect(await spendOf("own")).toMatchObject({ spendNanoUsd: usd("7"), source: "events" });
    expect(await spendOf("red")).toMatchObject({ spendNanoUsd: usd("9"), source: "events" });
  });

  it("match no tenant when their team is none", async () => {
    await deliver(aCall(sha256("sk-x"), "1", { teamId: "blue" }));
    expect(reads()).toEqual([]);
  });
});

describe("a webhook", () => {
  it("counts as a hint for the team when it is about a key of the team", async () => {
    world.litellm.setSpend("red", 42);
    await deliver(aWebhook(sha256("sk-one"), "999", { team_id: "red" }));
    expect(reads()).toEqual(["/team/info"]);
    expect(await spendOf("red")).toMatchObject({ spendNanoUsd: usd("42"), source: "litellm" });
  });

  it("causes a read of the team when it is about the team", async () => {
    world.litellm.setSpend("red", 85);
    await deliver(aWebhook(null, "85", { event_group: "team", team_id: "red" }));
    expect(await spendOf("red")).toMatchObject({ spendNanoUsd: usd("85"), source: "litellm" });
    expect(await notices()).toEqual(["threshold_crossed"]);
  });
});
