// Spend that falls in LiteLLM within a period: audited, told to the operators, and slow to lift a block.

import { describe, expect, it } from "vitest";
import { MINUTE, SECOND, usd } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const key = sha256(VIRTUAL_KEY);
const acme = idOf("acme");
const { world, deps, deliver, hear, pass, notices, spendOf } = useSpendWorld();

/** Acme has spent this, as a read shows that is long past every hint. */
async function spent(dollars: string) {
  await hear(dollars);
  pass(5 * MINUTE);
  deps.spendQueue.sent.length = 0;
}

const confirm = () =>
  deliver({ kind: "read_due", tenant_id: "acme", subject_id: key, reason: "confirm", lane: "confirmation" });

/** LiteLLM shows this from now on: a first read, then one a little over a minute later. */
async function fall(dollars: number) {
  world.litellm.setSpend(key, dollars);
  await confirm();
  pass(61 * SECOND);
  await confirm();
}

const falls = () =>
  world.db.query("select tenant_id, actor, before, after, detail from audit_log where action = 'spend_fell'");
const platformAlerts = () => world.db.query("select kind, detail from platform_alerts");

describe("spend that falls within a period", () => {
  it("keeps a block everywhere until two reads a minute apart have shown it", async () => {
    await spent("560");
    world.litellm.setSpend(key, 12.5);
    await confirm();
    pass(59 * SECOND);
    await confirm();
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("560") });
    expect(deps.snapshots.spends.get(acme)).toMatchObject({ spendNanoUsd: usd("560") });
    expect(await notices()).toEqual(["budget_blocked"]);
    pass(2 * SECOND);
    await confirm();
    expect(deps.snapshots.spends.get(acme)).toMatchObject({ spendNanoUsd: usd("12.5") });
    expect(await notices()).toEqual(["budget_blocked", "budget_resolved"]);
  });

  it("writes one audit line with the spend before and after", async () => {
    await spent("120");
    await fall(100);
    await confirm();
    expect(await falls()).toEqual([
      {
        tenant_id: "acme",
        actor: "bursar",
        before: { spend: 120, source: "litellm" },
        after: { spend: 100, source: "litellm" },
        detail: { period_started_at: expect.stringMatching(/Z$/) },
      },
    ]);
    expect(await platformAlerts()).toEqual([]);
  });

  it("alerts the operators over 5 % of the limit, on the platform's channels", async () => {
    await spent("120");
    deps.noticeQueue.sent.length = 0;
    await fall(90);
    const detail = { tenant_id: "acme", spend_before: "120", spend_after: "90" };
    expect(await platformAlerts()).toEqual([{ kind: "spend_fell", detail }]);
    expect(deps.noticeQueue.sent).toMatchObject([{ channel_id: "22222222-2222-4222-8222-222222222222" }]);
  });
});
