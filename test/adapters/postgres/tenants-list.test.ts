// The list of tenants: Postgres computes their states, and must agree with the rules.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limitAt } from "../../../src/budget/limit.ts";
import { decimalFromNanoUsd, type NanoUsd } from "../../../src/budget/money.ts";
import { type State, stateAt } from "../../../src/budget/verdict.ts";
import type { TenantRecord } from "../../../src/records/tenant.ts";
import {
  aLedger,
  anyAlertThreshold,
  anyGraceThreshold,
  anyLimit,
  aTenantConfig,
  NOW,
  PERIOD_START,
  SECOND,
  usd,
} from "../../budget/builders.ts";
import { aNewTenant, anActor, hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { type TenantDatabase, useTenants } from "../../support/servers/tenant-database.ts";

const STATES: readonly State[] = ["ok", "warning", "grace", "blocked", "unknown"];
const everything = { state: null, after: null, limit: 200, now: NOW } as const;

/** Spend exactly at a threshold, a nano-dollar to either side, or anywhere. */
const spendNear = fc.record({
  line: fc.constantFrom("alertsAtNanoUsd", "limitNanoUsd", "blocksAtNanoUsd", null),
  offset: fc.constantFrom(-1n, 0n, 1n),
  anywhere: fc.bigInt({ min: 0n, max: 2n * 10n ** 18n }),
});

/** Few instants, a millisecond apart, so that overrides often start and end exactly when the list is read. */
const closeInstant = fc.integer({ min: -2, max: 2 }).map((ms) => NOW + ms);
const anyOverrideParts = {
  id: fc.uuid(),
  createdAt: closeInstant,
  expiresAt: closeInstant,
  revokedAt: fc.option(closeInstant, { nil: null }),
};

const anyTenant = fc.record({
  maxBudgetNanoUsd: fc.oneof(fc.constant(0n), anyLimit),
  alertThreshold: anyAlertThreshold,
  graceThreshold: anyGraceThreshold,
  suspendedAt: fc.constantFrom(null, null, null, null, null, NOW),
  subjectMissingAt: fc.constantFrom(null, null, null, NOW),
  litellmBlockedAt: fc.constantFrom(null, null, null, null, null, NOW),
  isOfEndedPeriod: fc.boolean(),
  overrides: fc.array(
    fc
      .record({ ...anyOverrideParts, amountNanoUsd: anyLimit })
      .filter(({ createdAt, expiresAt }) => expiresAt > createdAt),
    { maxLength: 3 },
  ),
  spend: fc.option(spendNear, { nil: null, freq: 6 }),
});
type AnyTenant = typeof anyTenant extends fc.Arbitrary<infer T> ? T : never;

/**
 * Writes the tenants directly into Postgres, because the port creates no suspended tenants and no overrides. `now`
 * is the base of the thresholds.
 */
async function arrange(db: TenantDatabase, wanted: readonly AnyTenant[], now: number): Promise<void> {
  const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  const configs = wanted.map((any, index) => ({
    tenant_id: `t${String(index).padStart(3, "0")}`,
    max_budget: decimalFromNanoUsd(any.maxBudgetNanoUsd),
    alert_threshold: String(Number(any.alertThreshold) / 100),
    grace_threshold: String(Number(any.graceThreshold) / 100),
    suspended_at: iso(any.suspendedAt),
    subject_missing_at: iso(any.subjectMissingAt),
    litellm_blocked_at: iso(any.litellmBlockedAt),
  }));
  const overrides = wanted.flatMap((any, index) =>
    any.overrides.map((override) => ({
      tenant_id: configs[index]?.tenant_id,
      override_amount: decimalFromNanoUsd(override.amountNanoUsd),
      created_at: iso(override.createdAt),
      expires_at: iso(override.expiresAt),
      revoked_at: iso(override.revokedAt),
    })),
  );
  const spends = wanted.flatMap((any, index) => {
    if (any.spend === null) return [];
    const { line, offset, anywhere } = any.spend;
    const spend = line === null ? anywhere : limitAt(aTenantConfig(any), now)[line] + offset;
    const startedAt = any.isOfEndedPeriod ? PERIOD_START - SECOND : PERIOD_START;
    const observation = decimalFromNanoUsd(spend < 0n ? 0n : spend);
    return [{ tenant_id: configs[index]?.tenant_id, spend: observation, period_started_at: iso(startedAt) }];
  });
  await db.query(
    `insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at, max_budget, alert_threshold,
       grace_threshold, suspended_at, subject_missing_at, litellm_blocked_at)
     select tenant_id, 'team', tenant_id, now(), max_budget, alert_threshold, grace_threshold, suspended_at,
       subject_missing_at, litellm_blocked_at
     from jsonb_populate_recordset(null::tenant_configs, $1)`,
    [JSON.stringify(configs)],
  );
  await db.query(
    `insert into budget_overrides (id, tenant_id, override_amount, created_at, expires_at, revoked_at, reason, created_by)
     select gen_random_uuid(), tenant_id, override_amount, created_at, expires_at, revoked_at, '', ''
     from jsonb_populate_recordset(null::budget_overrides, $1)`,
    [JSON.stringify(overrides)],
  );
  await db.query(
    `insert into tenant_spend (tenant_id, spend, observed_at, source, period_started_at)
     select tenant_id, spend, now(), 'litellm', period_started_at from jsonb_populate_recordset(null::tenant_spend, $1)`,
    [JSON.stringify(spends)],
  );
}

describe.each(postgresBackends)("the list of tenants on $name", (backend) => {
  const { db, tenants, create: createTenant } = useTenants(backend);
  const create = (index: number, spendNanoUsd: NanoUsd | null = null, maxBudgetNanoUsd = usd("100")) => {
    const spend = spendNanoUsd === null ? null : aLedger({ spendNanoUsd });
    const tenantId = idOf(`t${String(index).padStart(3, "0")}`);
    const subject = { kind: "team", id: `team-${index}` } as const;
    return createTenant({ tenantId, subject, spend, maxBudgetNanoUsd });
  };
  const idsIn = (list: { tenants: readonly TenantRecord[] }) => list.tenants.map(({ config }) => config.tenantId);

  it("computes the same state as stateAt, to the nano-dollar and the millisecond", async () => {
    const seen = new Set<State>();
    await fc.assert(
      fc.asyncProperty(fc.array(anyTenant, { minLength: 1, maxLength: 30 }), closeInstant, async (wanted, now) => {
        await db.empty();
        await arrange(db, wanted, now);
        const all = await tenants.list({ ...everything, now });
        expect(all.tenants).toHaveLength(wanted.length);
        const stateOf = ({ config, spend }: TenantRecord) => stateAt(config, spend?.spendNanoUsd ?? null, now).state;
        for (const state of STATES) {
          const expected = all.tenants.filter((tenant) => stateOf(tenant) === state);
          expect(all.counts[state]).toBe(expected.length);
          expect(idsIn(await tenants.list({ ...everything, now, state }))).toEqual(idsIn({ tenants: expected }));
          if (expected.length > 0) seen.add(state);
        }
      }),
      { numRuns: 40 },
    );
    expect([...seen].sort()).toEqual([...STATES].sort());
  });

  it("puts 109.99 percent in grace and 110.00 blocked, 79.99 ok and 80.00 warning", async () => {
    await create(1, usd("79.99"));
    await create(2, usd("80"));
    await create(3, usd("109.99"));
    await create(4, usd("110"));
    await create(5, null);
    expect((await tenants.list(everything)).counts).toEqual({ ok: 1, warning: 1, grace: 1, blocked: 1, unknown: 1 });
    expect(idsIn(await tenants.list({ ...everything, state: "blocked" }))).toEqual(["t004"]);
    expect(idsIn(await tenants.list({ ...everything, state: "ok" }))).toEqual(["t001"]);
  });

  it("pages through all tenants in the order of their ids, each once", async () => {
    for (const index of [3, 1, 4, 0, 2]) await create(index, usd("1"));
    const pages: string[][] = [];
    let after = null as TenantRecord["config"]["tenantId"] | null;
    do {
      const page = await tenants.list({ ...everything, limit: 2, after });
      expect(page.counts.ok).toBe(5);
      pages.push(idsIn(page));
      after = page.next;
    } while (after !== null);
    expect(pages).toEqual([["t000", "t001"], ["t002", "t003"], ["t004"]]);
  });

  it("has no next page when a page ends exactly at the last tenant", async () => {
    await create(1);
    await create(2);
    expect((await tenants.list({ ...everything, limit: 2 })).next).toBeNull();
  });

  it("pages within a state", async () => {
    for (const [index, spend] of ["1", "500", "1", "500", "1"].entries()) await create(index, usd(spend));
    const first = await tenants.list({ ...everything, state: "ok", limit: 2 });
    expect([idsIn(first), first.next]).toEqual([["t000", "t002"], "t002"]);
    const second = await tenants.list({ ...everything, state: "ok", limit: 2, after: first.next });
    expect([idsIn(second), second.next]).toEqual([["t004"], null]);
    expect(second.counts).toMatchObject({ ok: 3, blocked: 2 });
  });

  it("treats ids and hashes as text, never as SQL", async () => {
    const subject = { kind: "team", id: "'; drop table tenant_configs; --" } as const;
    await tenants.create(aNewTenant({ subject, name: "$1 ' \" \\ %" }), anActor());
    expect((await tenants.findBySubject(subject))?.config.name).toBe("$1 ' \" \\ %");
    expect(await tenants.findByKey(hashOf("0"))).toBeNull();
  });
});
