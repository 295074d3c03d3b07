// Recording spend: the statement must agree with the rules, and advance a period exactly once.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joinRecords, type SpendRecord } from "../../../src/budget/spend.ts";
import type { Subject } from "../../../src/budget/tenant.ts";
import type { NewTenant } from "../../../src/records/tenant.ts";
import { aSpendRecord, DAY, MINUTE, NOW, PERIOD_START, RESET, SECOND, usd } from "../../budget/builders.ts";
import { aSyncOutcome, hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const ofAcme = { kind: "key", id: hashOf("a") } as const;
const NEXT_RESET = RESET + 31 * DAY;

/** Instants that are equal, exactly a minute apart, or a millisecond to either side. */
const instant = fc.constantFrom(0, 1, MINUTE - 1, MINUTE, MINUTE + 1, 2 * MINUTE).map((ms) => NOW + ms);
const anyRecord: fc.Arbitrary<SpendRecord> = fc.record({
  spendNanoUsd: fc.constantFrom(0n, 1n, usd("100"), usd("100.000000001")),
  observedAt: instant,
  readAt: fc.option(instant, { nil: null }),
  source: fc.constantFrom("litellm", "webhook", "events", "gate"),
  periodStartedAt: fc.constantFrom(PERIOD_START, PERIOD_START, PERIOD_START, RESET),
  resetsAt: fc.constantFrom(RESET, RESET + 1, NEXT_RESET, null),
  spendRateNanoUsdPerSecond: fc.constantFrom(0n, 1n, usd("2")),
});

describe.each(postgresBackends)("recording spend on $name", (backend) => {
  const { db, tenants, create: createTenant } = useTenants(backend);
  const create = (differences: Partial<NewTenant> = {}) =>
    createTenant({ subjectCreatedAt: PERIOD_START, ...differences });
  const recorded = (record: SpendRecord, subject: Subject = ofAcme) =>
    tenants.recordSpend({ tenantId: acme, subject, record });
  const advances = () => db.query("select actor, before, after from audit_log where action = 'period_advanced'");

  it("ends in the result of joinRecords, in any order", async () => {
    await create();
    await fc.assert(
      fc.asyncProperty(anyRecord, anyRecord, async (first, second) => {
        await db.query("delete from tenant_spend");
        expect((await recorded(first))?.spend).toEqual(first);
        expect((await recorded(second))?.spend).toEqual(joinRecords(first, second));
      }),
      { numRuns: 200 },
    );
  });

  it("prefers the better of two sources at the same instant", async () => {
    await create();
    const sources = ["gate", "events", "webhook", "litellm"] as const;
    for (const first of sources) {
      for (const second of sources) {
        await db.query("delete from tenant_spend");
        const [a, b] = [aSpendRecord({ source: first, readAt: null }), aSpendRecord({ source: second, readAt: null })];
        await recorded(a);
        expect((await recorded(b))?.spend).toEqual(joinRecords(a, b));
      }
    }
  });

  it("stores spend to the nano-dollar, and returns null for a missing tenant", async () => {
    expect(await recorded(aSpendRecord())).toBeNull();
    await create();
    const spend = aSpendRecord({ spendNanoUsd: usd("999999999999999.999999999") });
    expect((await recorded(spend))?.spend).toEqual(spend);
  });

  it("refuses spend of another subject, such as an earlier tenant of this id", async () => {
    await create();
    const former: Subject = { kind: "key", id: hashOf("b") };
    expect(await recorded(aSpendRecord({ spendNanoUsd: usd("600") }), former)).toBeNull();
    const team: Subject = { kind: "team", id: ofAcme.id };
    expect(await recorded(aSpendRecord({ spendNanoUsd: usd("600") }), team)).toBeNull();
    expect((await tenants.load(acme))?.spend).toBeNull();
  });

  it("advances the period with the first record of a later one, and audits it as Bursar's change", async () => {
    const before = await create();
    const begun = aSpendRecord({ periodStartedAt: RESET, resetsAt: NEXT_RESET, observedAt: RESET, readAt: RESET });
    const after = await recorded(begun);
    expect(after?.config).toEqual({
      ...before.config,
      litellmKeyLastReset: RESET,
      budgetResetAt: NEXT_RESET,
      revision: expect.any(Number),
    });
    expect(after?.config.revision).toBeGreaterThan(before.config.revision);
    expect(after?.sync).toEqual(before.sync);
    expect(await advances()).toEqual([
      {
        actor: "bursar",
        before: expect.objectContaining({ period_started_at: new Date(PERIOD_START).toISOString() }),
        after: expect.objectContaining({ period_started_at: new Date(RESET).toISOString() }),
      },
    ]);
  });

  it("advances once under concurrent writers", async () => {
    await create();
    for (const round of [1, 2, 3, 4, 5, 6]) {
      const periodStartedAt = RESET + round * DAY;
      const writers = Array.from({ length: 8 }, (_, index) => {
        const at = periodStartedAt + index * SECOND;
        const times = { periodStartedAt, resetsAt: NEXT_RESET + round * DAY, observedAt: at, readAt: at };
        return aSpendRecord({ ...times, spendNanoUsd: usd(String(index)) });
      });
      const answers = await Promise.all(writers.map((writer) => recorded(writer)));
      expect(new Set(answers.map((tenant) => tenant?.config.revision)).size).toBe(1);
      expect(await advances()).toHaveLength(round);
      expect((await tenants.load(acme))?.spend).toEqual(writers.reduce(joinRecords));
    }
  });

  it("never moves to an earlier period, nor to one that ends no later", async () => {
    const before = await create();
    await recorded(aSpendRecord({ periodStartedAt: PERIOD_START - DAY, resetsAt: PERIOD_START }));
    await recorded(aSpendRecord({ periodStartedAt: PERIOD_START + 1, resetsAt: RESET }));
    expect((await tenants.load(acme))?.config).toEqual(before.config);
    expect(await advances()).toEqual([]);
  });

  it("adopts a changed end of the same period from the newest read", async () => {
    const before = await create();
    const moved = await recorded(aSpendRecord({ resetsAt: RESET - DAY }));
    expect(moved?.config).toMatchObject({ budgetResetAt: RESET - DAY, litellmKeyLastReset: null });
    expect(moved?.config.revision).toBeGreaterThan(before.config.revision);
    const older = aSpendRecord({ resetsAt: RESET, readAt: NOW - SECOND, observedAt: NOW - SECOND });
    expect((await recorded(older))?.config).toEqual(moved?.config);
    const noRead = aSpendRecord({ resetsAt: RESET, readAt: null, source: "gate", observedAt: NOW + MINUTE });
    expect((await recorded(noRead))?.config).toEqual(moved?.config);
    expect((await recorded(aSpendRecord({ resetsAt: null, readAt: NOW + 1 })))?.config.budgetResetAt).toBeNull();
    expect(await advances()).toEqual([]);
  });

  it("never returns to the end from an older read", async () => {
    const { config } = await create();
    await recorded(aSpendRecord());
    const outcome = aSyncOutcome({ readAt: NOW + 1, resetsAt: RESET - DAY, hasMovedReset: true });
    const moved = await tenants.recordSync(acme, config.revision, outcome);
    expect(moved?.config.budgetResetAt).toBe(RESET - DAY);
    await recorded(aSpendRecord());
    await recorded(aSpendRecord({ readAt: null, source: "gate", spendNanoUsd: usd("200") }));
    expect((await tenants.load(acme))?.config).toEqual(moved?.config);
  });

  it("keeps the revision when the period does not change", async () => {
    const before = await create();
    expect((await recorded(aSpendRecord()))?.config).toEqual(before.config);
  });
});
