// The check when LiteLLM asks (Guard): it names the key's team, an agent waits behind it, and no caller is counted.
// Whatever fails, the answer comes within 110 ms.

import { beforeEach, describe, expect, it } from "vitest";
import { MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf, idOf } from "../../support/builders/builders.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ACME, CheckWorld, POLICY, verdictOf } from "../../support/worlds/check-world.ts";

const OLD = { observedAt: NOW - 11 * MINUTE, readAt: NOW - 11 * MINUTE };
const OVER = { spendNanoUsd: usd("550"), ...OLD };
const TEAM = { kind: "team", id: "team-1" } as const;

const asked = { kind: "key", keyHash: hashOf("a"), network: null, teamId: null } as const;
const ofTeam = { ...asked, keyHash: hashOf("b"), teamId: "team-1" } as const;

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

type Trouble = "hangs" | Error | number;
const BREAKS: Record<string, (how: Trouble) => void> = {
  LiteLLM: (how) => {
    if (how instanceof Error) world.litellm.nextTries.push(...Array.from({ length: 9 }, () => AWAY));
    else world.reads.trouble("readSubject", how);
  },
  Postgres: (how) => {
    for (const verb of ["findByKey", "findBySubject", "load"] as const) world.tenants.trouble(verb, how);
  },
  Redis: (how) => world.claims.trouble("claimRead", how),
  KV: (how) => {
    for (const verb of ["ownerOf", "tenant", "outageNote"] as const) world.snapshots.trouble(verb, how);
  },
  "the queue": (how) => world.spendQueue.trouble("send", how),
};
const DEPENDENCIES = Object.keys(BREAKS);
/** Each failure alone, and each pair of them. */
const PAIRS = DEPENDENCIES.flatMap((one, index) => DEPENDENCIES.slice(index).map((other) => [one, other] as const));
const HOWS: [string, Trouble][] = [
  ["hang", "hangs"],
  ["fail", new Error("down")],
  ["take 39 ms", 39],
  ["take 2 s", 2 * SECOND],
];

describe.each(HOWS)("dependencies that %s", (_, how) => {
  it.each(PAIRS)("%s and %s: answers within 110 ms, for keys known, of a team, and unknown", async (one, other) => {
    for (const caller of [asked, ofTeam, { ...asked, keyHash: hashOf("c") }]) {
      world = new CheckWorld();
      world.hasTenant({}, OVER);
      world.hasTenant({ tenantId: idOf("team"), subject: TEAM }, OVER);
      BREAKS[one]?.(how);
      BREAKS[other]?.(how);
      expect((await world.check({ caller })).tookMs).toBeLessThanOrEqual(110);
    }
  });

  it("answers by the deployment's policy within 110 ms when all dependencies break", async () => {
    world.hasTenant({}, OVER);
    for (const breakIt of Object.values(BREAKS)) breakIt(how);
    for (const policy of ["open", "closed"] as const) {
      world.policy = { ...POLICY, defaultFailPolicy: policy };
      const answered = await world.check({ caller: ofTeam });
      expect(answered.tookMs).toBeLessThanOrEqual(110);
    }
  });
});

describe("known state during failures", () => {
  it.each(["LiteLLM", "Postgres", "Redis"])("%s hangs: refuses a blocked tenant from KV", async (store) => {
    world.hasTenant({}, OVER);
    BREAKS[store]?.("hangs");
    expect(verdictOf(await world.check({ caller: asked }))).toMatchObject({ tenantId: ACME, reason: "over_grace" });
  });

  it("finds the tenant in Postgres by the team that LiteLLM names when KV hangs", async () => {
    world.hasTenant({ subject: TEAM }, { spendNanoUsd: usd("550") });
    BREAKS["KV"]?.("hangs");
    const answered = await world.check({ caller: ofTeam });
    expect([answered.tookMs, verdictOf(answered).reason]).toEqual([40, "over_grace"]);
  });
});

describe("a key of a team", () => {
  it("finds the tenant through the team without waiting for LiteLLM, which is asked once for the key", async () => {
    world.hasTenant({ subject: TEAM });
    world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: hashOf("b") }, metadata: {}, teamId: "team-1" }));
    world.litellm.tryMs = 50;
    for (let call = 0; call < 3; call++) {
      const answered = await world.check({ caller: ofTeam });
      expect([answered.tookMs, verdictOf(answered).tenantId]).toEqual([0, ACME]);
      await world.untilQuiet();
    }
    expect(world.litellm.reads).toHaveLength(1);
    expect(world.kv.owners.get(hashOf("b"))).toBe(ACME);
  });

  it("calls the key unknown when its team is no tenant's, whatever LiteLLM would answer", async () => {
    world.hasTenant({ subject: TEAM });
    world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: hashOf("b") }, teamId: "team-1" }));
    expect((await world.check({ caller: { ...ofTeam, teamId: "team-2" } })).outcome).toEqual({ kind: "unknown" });
    expect((await world.check({ caller: { ...asked, keyHash: hashOf("d") } })).outcome).toEqual({ kind: "unknown" });
  });

  it("counts at once for the new team's tenant, though the edge caches the old one", async () => {
    world.hasTenant({ subject: TEAM });
    world.hasTenant({ tenantId: idOf("other"), subject: { kind: "team", id: "team-2" } });
    const ownRow = { subject: { kind: "key", id: hashOf("b") }, metadata: {} } as const;
    world.litellm.has(aLiteLlmRow({ ...ownRow, teamId: "team-1" }));
    await world.check({ caller: ofTeam });
    await world.untilQuiet();
    expect(world.kv.owners.get(hashOf("b"))).toBe(ACME);
    world.litellm.has(aLiteLlmRow({ ...ownRow, teamId: "team-2" }));
    const moved = { ...ofTeam, teamId: "team-2" };
    expect(verdictOf(await world.check({ caller: moved })).tenantId).toBe("other");
    await world.untilQuiet();
    expect(world.kv.owners.get(hashOf("b"))).toBe("other");
    world.memory.forgetTenantOf(hashOf("b"));
    expect(verdictOf(await world.check({ caller: moved })).tenantId).toBe("other");
    expect(world.tenants.calls("findByKey")).toBe(2);
  });

  it("keeps a tenant's own key with its tenant, whatever its team", async () => {
    world.hasTenant();
    expect(verdictOf(await world.check({ caller: { ...asked, teamId: "team-1" } })).tenantId).toBe(ACME);
    expect(world.tenants.calls("findByKey")).toBe(0);
  });

  it("finds the tenant by the team alone when LiteLLM names no key", async () => {
    world.hasTenant({ subject: TEAM }, { spendNanoUsd: usd("550") });
    const caller = { ...ofTeam, keyHash: null };
    expect(verdictOf(await world.check({ caller })).reason).toBe("over_grace");
  });

  it("has no tenant when LiteLLM names neither key nor team", async () => {
    const caller = { ...asked, keyHash: null, teamId: null };
    expect((await world.check({ caller })).outcome).toEqual({ kind: "unknown" });
  });

  it("has no tenant when the edge's entries of key and team lead to a deleted one, and the stores know no other", async () => {
    world.kv.configs.set(ACME, { deletedRevision: 3, deletedAt: 0, revision: 3 });
    for (const name of [hashOf("b"), "team:team-1"] as const) world.kv.owners.set(name, ACME);
    expect((await world.check({ caller: ofTeam })).outcome).toEqual({ kind: "unknown" });
  });

  it("asks LiteLLM alone about a key that left its team while Postgres is away", async () => {
    world.hasTenant({ subject: TEAM });
    await world.check({ caller: ofTeam });
    await world.untilQuiet();
    world.litellm.has(aLiteLlmRow({ subject: { kind: "key", id: hashOf("b") }, metadata: {}, teamId: "team-2" }));
    world.litellm.has(aLiteLlmRow({ subject: { kind: "team", id: "team-2" }, metadata: { tenant_id: "other" } }));
    BREAKS["Postgres"]?.(new Error("down"));
    const answered = await world.check({ caller: { ...ofTeam, teamId: "team-2" } });
    expect(verdictOf(answered)).toMatchObject({ tenantId: "other", source: "litellm", degraded: true });
  });
});

describe("KV and Postgres away", () => {
  beforeEach(() => {
    world.litellm.has(aLiteLlmRow({ subject: TEAM, spendNanoUsd: usd("550") }));
    BREAKS["Postgres"]?.(new Error("down"));
  });

  it("asks LiteLLM alone about the team of a caller without a key", async () => {
    const answered = await world.check({ caller: ofTeam });
    expect(verdictOf(answered)).toMatchObject({ tenantId: ACME, allowed: false, source: "litellm", degraded: true });
  });

  it("asks LiteLLM alone about the team when LiteLLM has sent no key", async () => {
    const answered = await world.check({ caller: { ...ofTeam, keyHash: null } });
    expect(verdictOf(answered)).toMatchObject({ tenantId: ACME, allowed: false, source: "litellm", degraded: true });
    expect(world.litellm.reads.map(({ subject }) => subject.kind)).toEqual(["team"]);
  });

  it("skips the team when LiteLLM could not resolve the key", async () => {
    world.litellm.nextTries.push(AWAY);
    expect(verdictOf(await world.check({ caller: ofTeam }))).toMatchObject({ tenantId: null, source: "fail_open" });
    expect(world.litellm.reads).toHaveLength(1);
  });
});
