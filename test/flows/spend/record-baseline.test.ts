// An adopted tenant: its baseline is recorded without a notice.

import { describe, expect, it } from "vitest";
import { changeTenant } from "../../../src/flows/tenants/change-tenant.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import type { SpendMessage } from "../../../src/ports/messages.ts";
import { SECOND, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const { world, deps, deliver, hear, pass, alerts, notices } = useSpendWorld();

describe("an adopted tenant", () => {
  const adopted = sha256("sk-adopted");
  const globex = idOf("globex");
  const rewrite: SpendMessage = { kind: "rewrite_config", tenant_id: globex };
  const adopt = async (spend: number, enforcement: "enforce" | "observe" = "enforce") => {
    await world.manage("POST", "/key/generate", { key: "sk-adopted", max_budget: 110, budget_duration: "30d" });
    world.litellm.setSpend(adopted, spend);
    const origin = { kind: "adopted", subject: { kind: "key", id: adopted } } as const;
    const settings = { maxBudgetNanoUsd: usd("100"), enforcement };
    await createTenant(ownKeyInput({ tenantId: globex, origin, settings }), deps);
    pass(6 * SECOND);
  };

  it("records what was exceeded before without a notice", async () => {
    await adopt(85);
    await hear("86", {}, adopted);
    expect(await alerts()).toMatchObject([{ event_type: "threshold_crossed", silent: true, spend: 85 }]);
    expect(deps.noticeQueue.sent).toEqual([]);
  });

  it("announces the first threshold even in the batch of its first report", async () => {
    await adopt(79);
    await hear("80", {}, adopted);
    expect(await notices()).toEqual(["threshold_crossed"]);
  });

  it("reads the tenant soon after its adoption, without a report", async () => {
    await adopt(120);
    const rewrite = deps.spendQueue.sent.find(
      ({ message }) => "tenant_id" in message && message.tenant_id === "globex",
    );
    await deliver(rewrite?.message as SpendMessage);
    expect((await alerts()).map(({ silent }) => silent)).toEqual([true, true, true]);
  });

  it.each([
    [85, "observe", "100", "budget_crossed"],
    [85, "enforce", "100", "budget_crossed"],
    [105, "observe", "110", "budget_blocked"],
    [105, "enforce", "110", "budget_blocked"],
  ] as const)(
    "records silently at %d percent under %s, and announces the next threshold",
    async (spend, enforcement, next, crossed) => {
      await adopt(spend, enforcement);
      await deliver(rewrite);
      await hear(String(spend), {}, adopted);
      expect(await notices()).toEqual([]);
      await hear(next, {}, adopted);
      expect(await notices()).toEqual([crossed]);
    },
  );

  it.each(["observe", "enforce"] as const)(
    "announces nothing more in this period at 120 percent under %s",
    async (enforcement) => {
      await adopt(120, enforcement);
      await deliver(rewrite);
      await hear("130", {}, adopted);
      expect([await notices(), (await alerts()).map(({ silent }) => silent)]).toEqual([[], [true, true, true]]);
    },
  );

  it.each([
    ["found above the block threshold", 120, []],
    ["observed to cross it", 79, ["budget_blocked"]],
  ])("announces the block once when a tenant %s becomes enforced", async (_, spend, before) => {
    await adopt(spend, "observe");
    await deliver(rewrite);
    await hear("120", {}, adopted);
    expect(await notices()).toEqual(before);
    await changeTenant({ tenantId: globex, change: { enforcement: "enforce" }, actor: anActor() }, deps);
    await deliver(rewrite);
    await deliver(rewrite);
    expect(await notices()).toEqual([...before, "budget_blocked"]);
    for (const enforcement of ["observe", "enforce"] as const) {
      await changeTenant({ tenantId: globex, change: { enforcement }, actor: anActor() }, deps);
      await deliver(rewrite);
    }
    expect(await notices()).toEqual([...before, "budget_blocked"]);
  });
});
