// Counted calls and the reads of checks, recorded on a real Postgres: each once, with alerts, snapshots and the reads
// that must follow.

import { describe, expect, it } from "vitest";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { readMessage, type SpendMessage } from "../../../src/ports/messages.ts";
import { MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf, idOf, incomingOf } from "../../support/builders/builders.ts";
import { aCall, aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const HOUR = 60 * MINUTE;
const acme = idOf("acme");
const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, alerts, notices, spendOf } = useSpendWorld();

const actions = async () =>
  (await world.db.query<{ action: string }>("select action from audit_log order by id"))
    .map(({ action }) => action)
    .filter((action) => !action.startsWith("tenant_"));

describe("calls", () => {
  it("add up, each once, however often it arrives", async () => {
    const [first, second] = [aCall(key, "150"), aCall(key, "250")];
    await deliver(first, second, first);
    await deliver(second);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("400"), source: "events" });
    expect(await notices()).toEqual(["threshold_crossed"]);
    expect(deps.snapshots.spends.get(acme)).toMatchObject({ spendNanoUsd: usd("400") });
  });

  it("count from the first moment of a key that Bursar has made", async () => {
    await deliver(aCall(key, "400", { endedAt: NOW + 1 }), aCall(key, "100", { endedAt: NOW - 2 * SECOND }));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("500"), source: "events" });
    expect(await notices()).toEqual(["budget_crossed"]);
  });

  it("are read again when a read may or may not contain them, and they might change the state", async () => {
    world.litellm.setSpend(key, 390);
    await deliver({ kind: "read_due", tenant_id: "acme", subject_id: key, reason: "confirm" });
    deps.spendQueue.sent.length = 0;
    await deliver(aCall(key, "9", { endedAt: NOW + 3 * SECOND }));
    expect(deps.spendQueue.sent).toEqual([]);
    await deliver(aCall(key, "1", { endedAt: NOW + 3 * SECOND }));
    const [settling] = deps.spendQueue.sent;
    expect(settling).toMatchObject({ message: { kind: "read_due", reason: "confirm" }, delaySeconds: 28 });
    world.litellm.setSpend(key, 400);
    world.now = NOW + 28 * SECOND;
    await deliver(settling?.message as SpendMessage);
    expect(await notices()).toEqual(["threshold_crossed"]);
  });

  it("cross every threshold that they pass, and are confirmed by a read", async () => {
    await deliver(aCall(key, "560"));
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(await alerts()).toHaveLength(3);
    expect(deps.spendQueue.sent).toMatchObject([
      { message: { kind: "read_due", reason: "confirm" }, delaySeconds: 25 },
    ]);
  });

  it("wait for a read that they can be added to when the release before has written the spend alone", async () => {
    await world.db.query("update tenant_spend set base_value = null, base_answered_at = null");
    world.litellm.setSpend(key, 7);
    await deliver(aCall(key, "5"));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("12"), source: "litellm" });
  });

  it("need no read while they count", async () => {
    world.litellm.clearRequests();
    await deliver(aCall(key, "0.28"));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("0.28") });
    expect([world.litellm.requests(), deps.spendQueue.sent]).toEqual([[], []]);
  });

  it("are read instead when they ended over an hour ago, and count for nothing", async () => {
    world.litellm.setSpend(key, 7);
    await deliver({ ...aCall(key, "560", { endedAt: NOW - HOUR - 1 }), received_at: NOW } as SpendMessage);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("7"), source: "litellm" });
    expect(await alerts()).toEqual([]);
  });

  it("cause a read when their cost is unknown", async () => {
    world.litellm.setSpend(key, 7);
    await deliver(aCall(key, null));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("7"), source: "litellm" });
  });

  it("are read at once for a tenant without any spend, and count on top", async () => {
    await world.db.query("delete from tenant_spend");
    world.litellm.setSpend(key, 7);
    await deliver(aCall(key, "2"));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("9") });
  });

  it("past the end of the known period cause a read, which decides", async () => {
    await world.db.query("update tenant_spend set resets_at = $1", [new Date(NOW + 5 * SECOND)]);
    world.litellm.setSpend(key, 3);
    await deliver(aCall(key, "560"));
    expect(await notices()).toEqual(["budget_blocked"]);
    expect(await spendOf()).toMatchObject({ source: "litellm" });
  });

  it("write no audit line", async () => {
    await deliver(aCall(key, "1"));
    expect(await actions()).toEqual([]);
  });
});

describe("a due read", () => {
  it("reads although the tenant has another key since it was scheduled", async () => {
    world.litellm.setSpend(key, 7);
    await deliver({ kind: "read_due", tenant_id: "acme", subject_id: hashOf("b"), reason: "confirm" });
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("7") });
  });

  it("comes again when the ledger keeps changing", async () => {
    const { save } = deps.ledgers;
    deps.ledgers.save = async () => [];
    const due = { kind: "read_due", tenant_id: "acme", subject_id: key, reason: "confirm" } as const;
    world.litellm.setSpend(key, 7);
    const incoming = [incomingOf(due)];
    expect([...(await recordSpend({ incoming, now: NOW }, deps))]).toEqual(incoming);
    deps.ledgers.save = save;
    expect((await recordSpend({ incoming, now: NOW }, deps)).size).toBe(0);
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("7") });
  });
});

describe("a read by a check", () => {
  it("raises the spend, and announces what it crosses", async () => {
    const { config } = (await deps.tenants.load(acme)) ?? {};
    if (config === undefined) throw new Error("acme exists");
    const read = { spendNanoUsd: usd("420"), begunAt: NOW + MINUTE, answeredAt: NOW + MINUTE };
    await deliver(readMessage(config, { ...read, resetsAt: config.budgetResetAt }));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("420"), source: "litellm", readAt: NOW + MINUTE });
    expect(await notices()).toEqual(["threshold_crossed"]);
  });

  it("counts for nothing when it is of a former subject of the tenant", async () => {
    const { config } = (await deps.tenants.load(acme)) ?? {};
    if (config === undefined) throw new Error("acme exists");
    const former = { ...config, subject: { kind: "key", id: hashOf("b") } } as const;
    await deliver(readMessage(former, { spendNanoUsd: usd("420"), begunAt: NOW, answeredAt: NOW, resetsAt: null }));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: 0n });
  });

  it("fails its own messages alone when the ledger keeps changing", async () => {
    const { config } = (await deps.tenants.load(acme)) ?? {};
    if (config === undefined) throw new Error("acme exists");
    deps.ledgers.save = async () => [];
    const read = { spendNanoUsd: usd("420"), begunAt: NOW + 1, answeredAt: NOW + 1, resetsAt: config.budgetResetAt };
    const incoming = [
      incomingOf(readMessage(config, read)),
      incomingOf(aWebhook(hashOf("f"), "1"), { messageId: "m2" }),
    ];
    expect([...(await recordSpend({ incoming, now: NOW }, deps))]).toEqual([incoming[0]]);
  });
});
