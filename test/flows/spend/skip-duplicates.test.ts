// Webhooks that arrive more than once under one id, on a real Postgres: recorded once, and never lost.

import { describe, expect, it, vi } from "vitest";
import { realTimers } from "../../../src/adapters/cloudflare/timers.ts";
import type { Incoming } from "../../../src/flows/spend/merge-batch.ts";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { usd } from "../../budget/builders.ts";
import { hashOf, idOf, incomingOf } from "../../support/builders/builders.ts";
import { aWebhook } from "../../support/builders/spend-messages.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { breakable, type Trouble } from "../../support/faults/breakable.ts";
import { ownKeyInput } from "../../support/worlds/admin-world.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const key = sha256(VIRTUAL_KEY);
const { world, deps, deliver, notices, spendOf } = useSpendWorld();

const withId = (spend: string, differences: Parameters<typeof aWebhook>[2] = {}) =>
  aWebhook(key, spend, { webhook_id: "msg_1", ...differences });
const incoming = (spend: string, messageId: string, differences: Partial<Incoming> = {}) =>
  incomingOf(withId(spend), { messageId, ...differences });
const record = (...messages: Incoming[]) => recordSpend({ incoming: messages, now: world.now }, deps);

const audit = () =>
  world.db.query<{ source_id: string; detail: { spend?: string; count?: number } }>(
    "select source_id, detail from audit_log where source_id like 'webhook%' or source_id like 'spend_tracked/%' order by id",
  );
const spends = async () => (await audit()).map(({ detail }) => detail.spend);

async function createGlobex() {
  const origin = { kind: "own_key", virtualKey: "sk-other", keyHash: hashOf("b") } as const;
  await createTenant(ownKeyInput({ tenantId: idOf("globex"), origin }), deps);
}

/** Replaces Redis by one that fails or hangs, and counts its calls. */
function watchedClaims(troubles: Partial<Record<"recordedWebhooks" | "rememberRecordedWebhooks", Trouble>> = {}) {
  const { port, calls, trouble } = breakable(deps.claims, realTimers);
  for (const verb of ["recordedWebhooks", "rememberRecordedWebhooks"] as const) trouble(verb, troubles[verb] ?? null);
  deps.claims = port;
  return () => [calls("recordedWebhooks"), calls("rememberRecordedWebhooks")];
}

it("keeps equal ids of a team's and a user's webhooks apart", async () => {
  const ofTeam = aWebhook(null, "1", {
    webhook_id: "msg_1",
    event_group: "team",
    team_id: "x",
    event: "spend_tracked",
  });
  const ofUser = aWebhook(null, "1", {
    webhook_id: "msg_1",
    event_group: "user",
    user_id: "y",
    event: "spend_tracked",
  });
  await deliver(ofTeam, ofTeam, ofUser);
  expect((await audit()).map(({ detail }) => detail.count)).toEqual([1, 1]);
});

describe("a duplicate webhook", () => {
  it("counts once within a batch: the first one is recorded", async () => {
    await deliver(withId("300"), withId("400"), aWebhook(key, "200", { webhook_id: "msg_2" }), aWebhook(key, "100"));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("300") });
    expect(await spends()).toEqual(["300", "200", "100"]);
  });

  it("skips a duplicate of a single cost as well", async () => {
    const cost = withId("0.3", { event: "spend_tracked" });
    await deliver(cost, cost, { ...cost, webhook_id: "msg_2" });
    expect(await audit()).toEqual([expect.objectContaining({ detail: expect.objectContaining({ count: 2 }) })]);
  });

  it("skips a duplicate in a later batch", async () => {
    await deliver(withId("300"));
    expect(await record(incoming("400", "m-copy"))).toEqual(new Set());
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("300") });
    expect([await spends(), await notices()]).toEqual([["300"], []]);
  });

  it("skips a duplicate that matched no tenant", async () => {
    const stray = aWebhook(hashOf("f"), "1", { webhook_id: "msg_1" });
    await deliver(stray);
    await deliver(stray);
    expect(await audit()).toHaveLength(1);
  });

  it("leaves another tenant's webhook of the same id alone", async () => {
    await createGlobex();
    await deliver(withId("300"));
    await deliver(withId("400", { key_hash: hashOf("b") }));
    expect(await spendOf("globex")).toMatchObject({ spendNanoUsd: usd("400") });
    expect(await spends()).toEqual(["300", "400"]);
  });
});

describe("a redelivered message", () => {
  it("passes its own mark, whatever attempts the queue counts", async () => {
    await record(incoming("300", "m1"));
    await record(incoming("400", "m-copy"), incoming("350", "m1"));
    expect(await spendOf()).toMatchObject({ spendNanoUsd: usd("350") });
  });

  it("passes although a duplicate was recorded in between, because its alert's notices are not queued yet", async () => {
    deps.noticeQueue.isAway = true;
    const died = incoming("400", "m1");
    expect(await record(died)).toEqual(new Set([died]));
    deps.noticeQueue.isAway = false;
    expect(await record(incoming("400", "m-copy"))).toEqual(new Set());
    expect(deps.noticeQueue.sent).toEqual([]);
    expect(await record({ ...died, isRedelivery: true })).toEqual(new Set());
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("takes precedence over a new duplicate, wherever in the batch it is", async () => {
    deps.noticeQueue.isAway = true;
    const died = incoming("400", "m1");
    await record(died);
    deps.noticeQueue.isAway = false;
    await record(incoming("400", "m-copy"), { ...died, isRedelivery: true });
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("marks a webhook only after it is recorded, so its duplicates are recorded until then", async () => {
    await createGlobex();
    const ours = incoming("300", "m1");
    const other = incomingOf(withId("400", { key_hash: hashOf("b") }), { messageId: "m2" });
    const write = deps.snapshots.writeSpend.bind(deps.snapshots);
    deps.snapshots.writeSpend = (config, observation) =>
      config.tenantId === "acme" ? Promise.reject(new Error("broken on purpose")) : write(config, observation);
    expect(await record(ours, other)).toEqual(new Set([ours]));
    expect([...deps.claims.webhooks]).toEqual([[`${hashOf("b")}/msg_1`, "m2"]]);
  });
});

describe("duplicate lookup in Redis", () => {
  it("reads once and writes once per batch, however many ids there are", async () => {
    const counts = watchedClaims();
    await deliver(...Array.from({ length: 20 }, (_, index) => aWebhook(key, "1", { webhook_id: `msg_${index}` })));
    expect(counts()).toEqual([1, 1]);
  });

  it("makes no call without ids", async () => {
    const counts = watchedClaims();
    await deliver(aWebhook(key, "1"), aWebhook(key, "1", { webhook_id: null }));
    expect(counts()).toEqual([0, 0]);
  });

  it("writes nothing when nothing was recorded", async () => {
    await deliver(withId("1"));
    const counts = watchedClaims();
    await deliver(withId("1"));
    expect(counts()).toEqual([1, 0]);
  });

  it.each<[string, Parameters<typeof watchedClaims>[0], number[]]>([
    ["refuses the lookup", { recordedWebhooks: new Error("away") }, [1, 0]],
    ["does not answer the lookup", { recordedWebhooks: "hangs" }, [1, 0]],
    ["refuses the write", { rememberRecordedWebhooks: new Error("away") }, [1, 1]],
    ["does not confirm the write", { rememberRecordedWebhooks: "hangs" }, [1, 1]],
  ])("Redis %s: records the batch all the same, with one log line", async (_, troubles, asked) => {
    const counts = watchedClaims(troubles);
    const waits = vi.spyOn(deps.timers, "after");
    await deliver(withId("400"), withId("400"), aWebhook(key, "401", { webhook_id: "msg_2" }));
    expect(waits.mock.calls).toEqual(asked.flatMap((calls) => Array(calls).fill([250])));
    waits.mockRestore();
    expect([await notices(), await spends(), counts()]).toEqual([["threshold_crossed"], ["400", "401"], asked]);
    expect(deps.log.lines.filter((line) => /redis webhook (lookup|write)/.test(line))).toHaveLength(1);
  });

  it("writes one audit line per id and tenant for duplicates while Redis is away", async () => {
    await createGlobex();
    deps.claims.isAway = true;
    await deliver(withId("300"));
    await deliver(withId("300"), withId("400", { key_hash: hashOf("b") }));
    expect((await audit()).map(({ source_id: id }) => id)).toEqual(["webhook/acme/msg_1", "webhook/globex/msg_1"]);
  });
});
