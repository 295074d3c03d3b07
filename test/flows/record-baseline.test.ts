// An adopted tenant is taken as it is found: its baseline is recorded, and nobody is told.

import { describe, expect, it } from "vitest";
import { createTenant } from "../../src/flows/create-tenant.ts";
import type { SpendMessage } from "../../src/messages.ts";
import { usd } from "../budget/builders.ts";
import { ownKeyInput } from "../support/admin-world.ts";
import { idOf } from "../support/builders.ts";
import { aWebhook } from "../support/spend-messages.ts";
import { useSpendWorld } from "../support/spend-world.ts";
import { sha256 } from "../support/virtual-key.ts";

const { world, deps, deliver, alerts, told } = useSpendWorld();

describe("an adopted tenant", () => {
  const adopted = sha256("sk-adopted");
  const adopt = async (spend: number) => {
    await world.manage("POST", "/key/generate", { key: "sk-adopted", max_budget: 110, budget_duration: "30d" });
    world.litellm.setSpend(adopted, spend);
    const origin = { kind: "adopted", subject: { kind: "key", id: adopted } } as const;
    const settings = { maxBudgetNanoUsd: usd("100") };
    await createTenant(ownKeyInput({ tenantId: idOf("globex"), origin, settings }), deps);
  };

  it("is taken as it is found: nobody is told of what was exceeded before", async () => {
    await adopt(85);
    await deliver(aWebhook(adopted, "86"));
    expect(await alerts()).toMatchObject([{ event_type: "threshold_crossed", silent: true, spend: 85 }]);
    expect(deps.noticeQueue.sent).toEqual([]);
  });

  it("has its first crossing told, even in the batch that brings the first word of it", async () => {
    await adopt(79);
    await deliver(aWebhook(adopted, "80"));
    expect(await told()).toEqual(["threshold_crossed"]);
  });

  it("is looked at soon after it was adopted, without a report", async () => {
    await adopt(120);
    const rewrite = deps.spendQueue.sent.find(
      ({ message }) => "tenant_id" in message && message.tenant_id === "globex",
    );
    await deliver(rewrite?.message as SpendMessage);
    expect((await alerts()).map(({ silent }) => silent)).toEqual([true, true, true]);
  });
});
