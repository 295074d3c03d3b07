// A check whose read finds that LiteLLM lacks the key, or that another than Bursar has blocked it: shown as what it is,
// and noted for every other check.

import { beforeEach, describe, expect, it } from "vitest";
import { MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ACME, CheckWorld, verdictOf } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

const OLD = { observedAt: NOW - 11 * MINUTE, readAt: NOW - 11 * MINUTE };
const inKv = () => world.kv.configs.get(ACME);

describe("a key that LiteLLM does not have", () => {
  it("gets the reason subject_missing from the check that found it missing, and is noted in Postgres, KV and a sync", async () => {
    world.hasTenant({}, OLD);
    world.litellm.rows.clear();
    const missing = { state: "unknown", reason: "subject_missing", source: "fail_open", allowed: true };
    expect(verdictOf(await world.check())).toMatchObject(missing);
    await world.untilQuiet();
    expect([world.postgres.rows.get(ACME)?.config.subjectMissingAt, inKv()]).toMatchObject([
      NOW,
      { subjectMissingAt: NOW },
    ]);
    expect(world.queue.sent.map(({ message }) => message.kind)).toContain("sync_litellm");
  });

  it("gets a refusal that says so under closed at once", async () => {
    world.hasTenant({ failPolicy: "closed" }, OLD);
    world.litellm.rows.clear();
    expect(verdictOf(await world.check())).toMatchObject({ allowed: false, reason: "subject_missing" });
  });

  it("gets a refusal under open FAIL_OPEN_MINUTES after the first check that found it missing, past the reset too", async () => {
    world.hasTenant({}, { ...OLD, spendNanoUsd: usd("560"), resetsAt: NOW - SECOND });
    world.litellm.rows.clear();
    expect(verdictOf(await world.check())).toMatchObject({ allowed: true, reason: "subject_missing" });
    await world.timers.pass(60 * MINUTE);
    expect(verdictOf(await world.check())).toMatchObject({ allowed: false, reason: "subject_missing" });
  });

  it("stays known in memory while Postgres is away", async () => {
    world.hasTenant({}, OLD);
    world.litellm.rows.clear();
    world.tenants.trouble("load", new Error("down"));
    await world.check();
    await world.untilQuiet();
    expect(verdictOf(await world.check()).reason).toBe("subject_missing");
  });

  it("gets noted by a later try when the first one failed", async () => {
    world.hasTenant({}, OLD);
    world.litellm.rows.clear();
    world.litellm.nextTries.push(AWAY);
    expect(verdictOf(await world.check()).source).toBe("last_known");
    await world.untilQuiet();
    expect(inKv()).toMatchObject({ subjectMissingAt: NOW });
  });

  it("counts as usable again with the next read that shows it", async () => {
    world.hasTenant({ subjectMissingAt: NOW - MINUTE }, OLD);
    await world.check();
    await world.untilQuiet();
    expect(inKv()).toMatchObject({ subjectMissingAt: null });
    expect(verdictOf(await world.check())).toMatchObject({ allowed: true, state: "ok" });
  });
});

it("refuses a key that another than Bursar has blocked from the first read that shows it", async () => {
  const { subject } = world.hasTenant({}, OLD);
  world.litellm.has(aLiteLlmRow({ subject, blocked: true }));
  const refusal = { allowed: false, state: "blocked", reason: "litellm_blocked" };
  expect(verdictOf(await world.check())).toMatchObject(refusal);
  await world.untilQuiet();
  expect(inKv()).toMatchObject({ litellmBlockedAt: NOW });
  expect(verdictOf(await world.check())).toMatchObject(refusal);
});

it("allows a key again with the first read that shows it unblocked, and one that Bursar itself has blocked until now", async () => {
  const { subject } = world.hasTenant({ litellmBlockedAt: NOW - MINUTE }, OLD);
  world.litellm.has(aLiteLlmRow({ subject, blocked: true, metadata: { bursar_blocked_for: ACME } }));
  expect(verdictOf(await world.check())).toMatchObject({ allowed: true, state: "ok" });
});
