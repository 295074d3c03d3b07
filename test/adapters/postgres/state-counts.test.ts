// The counts of the list, after the changes that the product makes: they are those of a count of every tenant anew.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { postgresRetention } from "../../../src/adapters/postgres/retention.ts";
import { postgresOverrides } from "../../../src/adapters/postgres/tenants/overrides.ts";
import { limitAt } from "../../../src/budget/limit.ts";
import { shareOf } from "../../../src/budget/money.ts";
import { type StateReason, stateAt } from "../../../src/budget/verdict.ts";
import type { TenantRecord } from "../../../src/records/tenant.ts";
import { aLedger, MINUTE, NOW, usd } from "../../budget/builders.ts";
import { anActor, aSyncOutcome, aTenantListQuery, hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const STEPS = 200;
const IDS = ["t0", "t1", "t2", "t3", "t4", "t5"].map(idOf);
const HOUR = 60 * MINUTE;

/** The ends of overrides are for all tenants, as in the sweep. */
const ACTS = [
  ...["spend", "spend", "spend", "no-spend", "limit", "zero-limit", "alert", "grace", "suspend", "resume"],
  ...["blocked", "missing", "usable", "grant", "grant", "revoke", "ends", "delete", "restore", "purge", "remove"],
] as const;

const config = (values: string) => `update tenant_configs set ${values}`;
const override = (values: string) => `update budget_overrides set ${values}`;

/** Between two recounts, which take longer than a change. */
const STRIDE = 5;

const anyStep = fc.record({
  act: fc.constantFrom(...ACTS),
  tenantId: fc.constantFrom(...IDS),
  percent: fc.constantFrom(0, 79, 80, 99, 100, 109, 110, 500),
});

describe.each(postgresBackends)("the counts of the list on $name", (backend) => {
  const { db, tenants, create, saveLedger } = useTenants(backend);
  const overrides = postgresOverrides(() => db.database());
  const retention = postgresRetention(() => db.database());
  let now = NOW;
  const actor = () => anActor({ now });

  /** Odd ones are adopted, so that both kinds of restoration occur. */
  const begin = (tenantId: TenantRecord["config"]["tenantId"]) => {
    const index = IDS.indexOf(tenantId);
    const isAdopted = index % 2 === 1;
    const subject = isAdopted
      ? ({ kind: "team", id: `team-${index}` } as const)
      : ({ kind: "key", id: hashOf(String(index)) } as const);
    return create({ tenantId, subject, adopted: isAdopted, maxBudgetNanoUsd: usd("100") });
  };

  async function changeLiving({ config }: TenantRecord, { act, percent }: { act: string; percent: number }) {
    const { tenantId } = config;
    const noted = { blocked: "blocked", missing: "missing", usable: "usable" } as const;
    if (act in noted) {
      await tenants.noteSubject({ tenantId, subjectId: config.subject.id }, noted[act as keyof typeof noted], now);
    }
    if (act === "spend") {
      const spendNanoUsd = (limitAt(config, now).limitNanoUsd * BigInt(percent)) / 100n;
      await saveLedger(config, aLedger({ spendNanoUsd }));
    }
    if (act === "no-spend") await db.query("delete from tenant_spend where tenant_id = $1", [tenantId]);
    if (act === "limit") await tenants.change(tenantId, { maxBudgetNanoUsd: usd(String(50 + percent)) }, actor());
    if (act === "zero-limit") await tenants.change(tenantId, { maxBudgetNanoUsd: 0n }, actor());
    if (act === "alert") await tenants.change(tenantId, { alertThreshold: percent < 100 ? 5_000n : 9_900n }, actor());
    if (act === "grace") await tenants.change(tenantId, { graceThreshold: percent < 100 ? 10_000n : 15_000n }, actor());
    if (act === "suspend" || act === "resume") await tenants.setSuspended(tenantId, act === "suspend", actor());
    if (act === "grant") {
      const grant = { id: crypto.randomUUID(), tenantId, amountNanoUsd: usd("50"), expiresAt: now + HOUR, reason: "" };
      await overrides.grant(grant, actor());
    }
    const [override] = config.overrides;
    if (act === "revoke" && override !== undefined) {
      await overrides.revoke({ tenantId, overrideId: override.id }, actor());
    }
    if (act === "delete") await tenants.markDeleted(tenantId, actor());
  }

  async function changeDeleted({ config }: TenantRecord, act: string) {
    const { tenantId } = config;
    if (act === "remove") return tenants.remove(tenantId);
    await tenants.recordRelease(tenantId, config.revision, now);
    if (act === "purge") await retention.purge("deleted_tenants", { from: null, before: now + 1 }, 10);
    if (act !== "restore") return;
    const key = { keyHash: hashOf(String(IDS.indexOf(tenantId))), encryptedKey: "sealed" };
    const restored = await tenants.restore(tenantId, key, actor());
    if (!restored.ok || restored.value === null) throw new Error("not restored");
    await tenants.recordSync(tenantId, restored.value.config.revision, aSyncOutcome());
    // The next sweep: an override of a deleted tenant can expire, but its end is recorded for living ones only.
    await overrides.recordEnds(100, now);
  }

  async function act(step: { act: string; tenantId: (typeof IDS)[number]; percent: number }) {
    if (step.act === "ends") {
      now += HOUR;
      await overrides.recordEnds(100, now);
      return;
    }
    const tenant = await tenants.loadEvenDeleted(step.tenantId);
    if (tenant === null) await begin(step.tenantId);
    else if (tenant.deletedAt === null) await changeLiving(tenant, step);
    else await changeDeleted(tenant, step.act);
  }

  /** From the tenants themselves. */
  async function recount() {
    const living = (await Promise.all(IDS.map((id) => tenants.load(id)))).filter((tenant) => tenant !== null);
    const reasons = new Map<StateReason, number>();
    const places = living.map(({ config, spend }) => {
      const { reason } = stateAt(config, spend?.spendNanoUsd ?? null, now);
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      const used = spend === null ? null : shareOf(spend.spendNanoUsd, limitAt(config, now).limitNanoUsd);
      return { id: config.tenantId, used: Number(used ?? -1n) };
    });
    const byUse = places.toSorted((a, b) => b.used - a.used || (a.id < b.id ? -1 : 1));
    return { reasons, byUse: byUse.map(({ id }) => id) };
  }

  /** Each changes one thing only, so that no other change can bring a forgotten one along. */
  const CAUSES: readonly (readonly [change: string, reason: StateReason | null, used: number])[] = [
    [config("max_budget = 100"), "spend_unknown", -1],
    [
      "insert into tenant_spend (tenant_id, spend, observed_at, source, period_started_at) values ('t', 79, now(), 'litellm', now())",
      "within_budget",
      7_900,
    ],
    [config("alert_threshold = 79"), "over_threshold", 7_900],
    [config("max_budget = 79"), "over_limit", 10_000],
    [config("grace_threshold = 100"), "over_grace", 10_000],
    [
      "insert into budget_overrides (id, tenant_id, override_amount, expires_at, reason, created_by) values (gen_random_uuid(), 't', 79, now() + interval '1 hour', '', '')",
      "within_budget",
      5_000,
    ],
    [override("override_amount = 1"), "over_threshold", 9_875],
    [override("end_noted_at = now()"), "over_grace", 10_000],
    [override("end_noted_at = null"), "over_threshold", 9_875],
    ["delete from budget_overrides", "over_grace", 10_000],
    ["update tenant_spend set spend = 0", "within_budget", 0],
    [config("suspended_at = now()"), "suspended", 0],
    [config("suspended_at = null"), "within_budget", 0],
    [config("litellm_blocked_at = now()"), "litellm_blocked", 0],
    [config("litellm_blocked_at = null"), "within_budget", 0],
    [config("subject_missing_at = now()"), "subject_missing", 0],
    [config("subject_missing_at = null"), "within_budget", 0],
    ["delete from tenant_spend", "spend_unknown", -1],
    [config("max_budget = 0"), "zero_limit", -1],
    [config("deleted_at = now()"), null, -1],
    [config("deleted_at = null"), "zero_limit", -1],
    ["delete from tenant_configs", null, -1],
  ];

  it("follow each cause of a state by itself", async () => {
    await db.query(
      "insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at) values ('t', 'team', 't', now())",
    );
    for (const [change, reason, used] of CAUSES) {
      await db.query(change);
      const states = await db.query("select reason, used from tenant_states");
      const counts = await db.query("select reason, tenants::int as tenants from tenant_state_counts");
      expect([change, states]).toEqual([change, reason === null ? [] : [{ reason, used }]]);
      expect([change, counts]).toEqual([change, reason === null ? [] : [{ reason, tenants: 1 }]]);
    }
  });

  it("sum up the parts that concurrent changes leave", async () => {
    await create();
    await db.query("insert into tenant_state_counts (reason, tenants) values ('suspended', 3), ('suspended', -1)");
    const { counts } = await tenants.list(aTenantListQuery());
    expect(counts).toEqual(
      new Map([
        ["spend_unknown", 1],
        ["suspended", 2],
      ]),
    );
  });

  it("are those of a recount during two hundred random changes by administrators, consumers and the sweep", async () => {
    const steps = fc.array(anyStep, { minLength: STEPS, maxLength: STEPS });
    await fc.assert(
      fc.asyncProperty(steps, async (each) => {
        now = NOW;
        await db.empty();
        for (const [index, step] of each.entries()) {
          await act(step);
          if (index % STRIDE !== 0) continue;
          const { tenants: listed, counts } = await tenants.list(aTenantListQuery({ sort: "-used_percent" }));
          const { reasons, byUse } = await recount();
          expect([index, step, new Map([...counts].filter(([, count]) => count !== 0))]).toEqual([
            index,
            step,
            reasons,
          ]);
          expect(listed.map(({ config }) => config.tenantId)).toEqual(byUse);
        }
      }),
      { numRuns: 1, endOnFailure: true },
    );
  });
});
