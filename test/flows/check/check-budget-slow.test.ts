// The check while several stores in a row are slow but within their timeouts: still within 110 ms.

import { beforeEach, describe, expect, it } from "vitest";
import { MINUTE, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { byKey, CheckWorld, verdictOf } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

const degradedLines = () => world.log.lines.filter((line) => line.startsWith("warn degraded answer"));

describe("several slow stores", () => {
  const teamTenant = () => world.hasTenant({ subject: { kind: "team", id: "team-1" } }, { spendNanoUsd: usd("100") });

  it("answers within 110 ms when KV finds the key but no store finds its tenant in time", async () => {
    world.hasTenant();
    world.snapshots.trouble("tenantOfKey", 39);
    world.snapshots.trouble("tenant", "hangs");
    world.snapshots.trouble("outageNote", "hangs");
    world.tenants.trouble("load", "hangs");
    world.reads.trouble("readSubject", "hangs");
    expect((await world.check()).tookMs).toBeLessThanOrEqual(110);
  });

  it("answers from the memory, whatever its age, when the stores are slow", async () => {
    world.hasTenant({}, { spendNanoUsd: usd("550") });
    await world.check();
    await world.timers.pass(MINUTE);
    world.snapshots.trouble("tenantOfKey", 39);
    world.snapshots.trouble("tenant", "hangs");
    world.tenants.trouble("load", "hangs");
    const answered = await world.check();
    expect(answered.tookMs).toBe(100);
    expect(verdictOf(answered)).toMatchObject({ allowed: false, reason: "over_grace", source: "last_known" });
    expect(degradedLines()[0]).toContain('"why":"stores too slow"');
  });

  it("answers within 110 ms while it counts an unknown caller", async () => {
    world.snapshots.trouble("tenantOfKey", "hangs");
    world.tenants.trouble("findByKey", 39);
    world.unknownCallers.trouble("allows", "hangs");
    expect((await world.check()).tookMs).toBeLessThanOrEqual(110);
  });

  it("answers within 110 ms while it asks LiteLLM for the key's team", async () => {
    teamTenant();
    world.reads.trouble("readSubject", "hangs");
    world.snapshots.trouble("outageNote", "hangs");
    const answered = await world.check({ caller: { ...byKey, keyHash: hashOf("b") } });
    expect(answered.tookMs).toBeLessThanOrEqual(110);
    expect(verdictOf(answered)).toMatchObject({ allowed: true, source: "fail_open" });
  });

  it("answers within 110 ms while it asks Postgres for that team", async () => {
    teamTenant();
    world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: hashOf("b") }, metadata: {}, teamId: "team-1" }));
    world.tenants.trouble("findBySubject", "hangs");
    const answered = await world.check({ caller: { ...byKey, keyHash: hashOf("b") } });
    expect(answered.tookMs).toBeLessThanOrEqual(110);
    expect(verdictOf(answered).degraded).toBe(true);
  });
});
