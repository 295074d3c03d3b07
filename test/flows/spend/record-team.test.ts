// A team tenant: several keys, one budget. Reports of its keys are hints, and a read of the team gives its spend.

import { beforeEach, describe, expect, it } from "vitest";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { usd } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { aWebhook, someCalls } from "../../support/builders/spend-messages.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const { world, deps, deliver, notices, spendOf } = useSpendWorld();

beforeEach(async () => {
  await world.manage("POST", "/team/new", { team_id: "red", max_budget: 100 });
  const origin = { kind: "adopted", subject: { kind: "team", id: "red" } } as const;
  await createTenant(ownKeyInput({ tenantId: idOf("red"), origin }), deps);
  world.litellm.clearRequests();
});

const reads = () => world.litellm.requests().map(({ path }) => path);
const calls = (key: string, spend = "1") => someCalls(sha256(key), spend, { team_id: "red" });

describe("calls of a team's keys", () => {
  it("count as hints: 50 keys in a batch cause one read of the team, with the team's spend", async () => {
    world.litellm.setSpend("red", 85);
    await deliver(...Array.from({ length: 50 }, (_, index) => calls(`sk-${index}`, "999")));
    expect(reads()).toEqual(["/team/info"]);
    expect(await spendOf("red")).toMatchObject({ spendNanoUsd: usd("85"), source: "litellm" });
    expect(await notices()).toEqual(["threshold_crossed"]);
  });

  it("count for the team also when the key is a tenant itself", async () => {
    await world.manage("POST", "/key/generate", { key: "sk-own", max_budget: 50, team_id: "red" });
    const origin = { kind: "adopted", subject: { kind: "key", id: sha256("sk-own") } } as const;
    await createTenant(ownKeyInput({ tenantId: idOf("own"), origin, settings: { budgetDuration: null } }), deps);
    world.litellm.setSpend("red", 30);
    await deliver(someCalls(sha256("sk-own"), "7", { team_id: "red", resets_at: undefined }));
    expect(await spendOf("own")).toMatchObject({ spendNanoUsd: usd("7"), source: "events" });
    expect(await spendOf("red")).toMatchObject({ spendNanoUsd: usd("30"), source: "litellm" });
  });

  it("match no tenant when their team is none", async () => {
    await deliver(someCalls(sha256("sk-x"), "1", { team_id: "blue" }));
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

  it("counts for the team when it is signed and about the team", async () => {
    await deliver(aWebhook(null, "85", { event_group: "team", team_id: "red" }));
    expect(await spendOf("red")).toMatchObject({ spendNanoUsd: usd("85"), source: "webhook" });
    expect(await notices()).toEqual(["threshold_crossed"]);
  });
});
