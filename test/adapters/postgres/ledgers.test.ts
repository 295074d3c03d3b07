// Ledgers on each Postgres backend: saved only as they were loaded, each call counted once by the rule of countCalls,
// and a period advanced exactly once.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { postgresSpendBatches } from "../../../src/adapters/postgres/spend-batches.ts";
import { postgresLedgers } from "../../../src/adapters/postgres/tenants/ledgers.ts";
import { countCalls, type Ledger, replaceLedger } from "../../../src/budget/counting.ts";
import type { Subject } from "../../../src/budget/tenant.ts";
import type { LedgerCall } from "../../../src/records/ledger.ts";
import type { NewTenant } from "../../../src/records/tenant.ts";
import { aLedger, aRead, DAY, MINUTE, NOW, PERIOD_START, RESET, SECOND, usd } from "../../budget/builders.ts";
import { anActor, aSyncOutcome, hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const ofAcme = { kind: "key", id: hashOf("a") } as const;
const NEXT_RESET = RESET + 31 * DAY;
const NO_CALLS = { afterCutoffNanoUsd: 0n, atReadNanoUsd: 0n, atBaseNanoUsd: 0n };

describe.each(postgresBackends)("ledgers on $name", (backend) => {
  const { db, tenants, create: createTenant } = useTenants(backend);
  const ledgers = postgresLedgers(() => db.database());
  const spendBatches = postgresSpendBatches(() => db.database());
  const create = (differences: Partial<NewTenant> = {}) =>
    createTenant({ subjectCreatedAt: PERIOD_START, ...differences });
  const open = async (answeredAt = NOW, subject: Subject = ofAcme) =>
    (await ledgers.load([{ tenantId: acme, subject, answeredAt }]))[0] ?? null;
  const save = async (ledger: Ledger, version = 0, subject: Subject = ofAcme) =>
    (await ledgers.save([{ tenantId: acme, subject, ledger, version }]))[0] ?? null;
  const aCall = (number: number, cost: string, endedAt = NOW + MINUTE): LedgerCall => {
    const id = number.toString(16).padStart(32, "0");
    return { tenantId: acme, subject: ofAcme, id, endedAt, costNanoUsd: usd(cost) };
  };
  const count = (...calls: LedgerCall[]) =>
    spendBatches
      .count({ calls, bounds: [], notes: [] }, NOW + 2 * MINUTE)
      .then((spends) => spends.get(acme)?.record ?? null);
  const advances = () => db.query("select actor, before, after from audit_log where action = 'period_advanced'");

  describe("saving", () => {
    it("keeps every field, and gives the tenant its spend", async () => {
      await create();
      const ledger = aLedger({
        spendNanoUsd: usd("999999999999999.999999999"),
        baseNanoUsd: usd("999999999999996.999999999"),
        sinceNanoUsd: usd("3"),
        countedAt: NOW + 5,
        doubt: { spendNanoUsd: usd("9"), valueNanoUsd: usd("1"), at: NOW + 6 },
        fenceAt: NOW - 7,
        epoch: 3,
      });
      const saved = await save(ledger);
      const { baseNanoUsd, baseAnsweredAt, sinceNanoUsd, countedAt, doubt, fenceAt, ...record } = ledger;
      expect(saved?.spend).toEqual(record);
      expect(await open()).toEqual({ tenant: saved, ledger, version: 1, calls: NO_CALLS });
      expect([baseNanoUsd, baseAnsweredAt, sinceNanoUsd, countedAt, doubt, fenceAt]).toHaveLength(6);
    });

    it("leaves a ledger alone that has changed since it was loaded", async () => {
      await create();
      await save(aLedger());
      expect(await save(aLedger({ spendNanoUsd: usd("7") }), 0)).toBeNull();
      expect((await save(aLedger({ spendNanoUsd: usd("8") }), 1))?.spend?.spendNanoUsd).toBe(usd("8"));
      await count(aCall(1, "2"));
      expect(await save(aLedger({ spendNanoUsd: usd("9") }), 2)).toBeNull();
      expect((await open())?.version).toBe(3);
    });

    it("saves for one of five writers that loaded the same ledger", async () => {
      await create();
      const writers = Array.from({ length: 5 }, (_, index) => save(aLedger({ spendNanoUsd: usd(String(index)) })));
      expect((await Promise.all(writers)).filter((saved) => saved !== null)).toHaveLength(1);
    });

    it("neither loads nor saves the ledger of another subject, such as of an earlier tenant of this id", async () => {
      await create();
      for (const subject of [
        { kind: "key", id: hashOf("b") },
        { kind: "team", id: ofAcme.id },
      ] as const) {
        expect(await open(NOW, subject)).toBeNull();
        expect(await save(aLedger(), 0, subject)).toBeNull();
      }
      expect((await tenants.load(acme))?.spend).toBeNull();
    });
  });

  describe("counting calls", () => {
    it("adds each call once, in one batch or in several", async () => {
      await create({ spend: aLedger() });
      await count(aCall(1, "1"), aCall(1, "1"), aCall(2, "0.5"));
      expect(await count(aCall(2, "0.5"), aCall(3, "0.25"))).toMatchObject({
        spendNanoUsd: usd("101.75"),
        source: "events",
        observedAt: NOW + 2 * MINUTE,
      });
      expect(await open()).toMatchObject({ ledger: { sinceNanoUsd: usd("1.75"), countedAt: NOW + 2 * MINUTE } });
    });

    it("agrees with the rule of countCalls to the last field", async () => {
      const anyEnd = fc.constantFrom(-1, 0, 2_999, 3_000, 3_001, 60_000).map((ms) => NOW + ms);
      const anyCall = fc.tuple(fc.nat(9), fc.constantFrom("0.000000001", "1", "41.5"), anyEnd);
      const anyLedger = fc.record({
        spendNanoUsd: fc.constantFrom(usd("105"), usd("120")),
        spendRateNanoUsdPerSecond: fc.constantFrom(0n, usd("8")),
        sinceNanoUsd: fc.constantFrom(0n, usd("5")),
      });
      await create({ spend: aLedger() });
      await fc.assert(
        fc.asyncProperty(anyLedger, fc.uniqueArray(anyCall, { selector: ([id]) => id }), async (differences, calls) => {
          await db.query("delete from counted_calls");
          const { version } = (await open()) ?? { version: 0 };
          const ledger = aLedger({ baseNanoUsd: usd("100"), ...differences });
          await save(ledger, version);
          const made = calls.map(([id, cost, endedAt]) => aCall(id, cost, endedAt));
          await count(...made);
          const expected = countCalls(ledger, made, NOW + 2 * MINUTE);
          const counted = (await open())?.ledger;
          const rate = counted?.spendRateNanoUsdPerSecond ?? -1n;
          expect(counted).toEqual({ ...expected, spendRateNanoUsdPerSecond: rate });
          expect(Math.abs(Number(rate - expected.spendRateNanoUsdPerSecond))).toBeLessThan(1e7);
        }),
        { numRuns: 40 },
      );
    });

    it("keeps the calls of a tenant that was never read for its first read", async () => {
      await create();
      expect(await count(aCall(1, "4"), aCall(2, "3", NOW + SECOND))).toBeNull();
      const { calls, ...opened } = (await open(NOW + 2 * SECOND)) ?? { calls: NO_CALLS };
      expect(opened).toMatchObject({ ledger: null, version: 0 });
      expect(calls).toEqual({ afterCutoffNanoUsd: usd("4"), atReadNanoUsd: usd("3"), atBaseNanoUsd: 0n });
    });

    it("tells what the base and a read may or may not contain", async () => {
      await create({ spend: aLedger() });
      const ends = [-25 * SECOND, -25 * SECOND + 1, 3 * SECOND, 3 * SECOND + 1, 20 * SECOND];
      const reported = {
        calls: ends.map((end, number) => aCall(number, String(2 ** number), NOW + end)),
        bounds: [],
        notes: [],
      };
      expect((await spendBatches.count(reported, NOW)).get(acme)).toMatchObject({
        baseAnsweredAt: NOW,
        unsettledNanoUsd: usd("6"),
      });
      expect((await open(NOW + 17 * SECOND))?.calls).toEqual({
        afterCutoffNanoUsd: 0n,
        atReadNanoUsd: usd("28"),
        atBaseNanoUsd: usd("6"),
      });
    });

    it("adds nothing to a base that a Worker of the release before has left behind, and waits for a read", async () => {
      await create({ spend: aLedger({ spendNanoUsd: usd("560") }) });
      // That release writes the spend of a new period and knows no base.
      await db.query("update tenant_spend set spend = 1, period_started_at = $1, resets_at = $2", [
        new Date(RESET),
        new Date(NEXT_RESET),
      ]);
      const reported = { calls: [aCall(1, "0.5")], bounds: [], notes: [] };
      expect((await spendBatches.count(reported, NOW)).get(acme)).toMatchObject({
        record: { spendNanoUsd: usd("1") },
        baseAnsweredAt: null,
      });
      expect(await open()).toMatchObject({ ledger: null, calls: { afterCutoffNanoUsd: usd("0.5") } });
    });

    it("leaves calls past the end of the period to a read", async () => {
      await create({ spend: aLedger({ resetsAt: NOW + MINUTE }) });
      expect(await count(aCall(1, "1", NOW + MINUTE), aCall(2, "2", NOW + MINUTE - 1))).toMatchObject({
        spendNanoUsd: usd("102"),
      });
    });

    it("ignores calls of a former subject, of a deleted tenant and of nobody", async () => {
      await create({ spend: aLedger() });
      await count({ ...aCall(1, "1"), subject: { kind: "key", id: hashOf("b") } });
      await count({ ...aCall(2, "1"), tenantId: idOf("nobody") });
      expect(await db.query("select from counted_calls")).toEqual([]);
    });

    it("equals the plain sum after ten concurrent writers of overlapping calls of fifty tenants", async () => {
      const ids = Array.from({ length: 50 }, (_, index) => idOf(`t${index}`));
      for (const tenantId of ids) {
        const subject = { kind: "team", id: tenantId } as const;
        await create({ tenantId, subject, spend: aLedger({ spendNanoUsd: 0n }) });
      }
      const batch = (writer: number) =>
        (writer % 2 === 0 ? ids : ids.toReversed()).flatMap((tenantId) => {
          const subject = { kind: "team", id: tenantId } as const;
          return [writer, writer + 1].map((number) => ({ ...aCall(number, "1"), tenantId, subject }));
        });
      await Promise.all(
        Array.from({ length: 10 }, (_, writer) =>
          spendBatches.count({ calls: batch(writer), bounds: [], notes: [] }, NOW),
        ),
      );
      const rows = await db.query("select distinct spend::float8 as spend from tenant_spend");
      expect(rows).toEqual([{ spend: 11 }]);
    }, 30_000);

    it("forgets calls that ended before an instant, a bounded number at a time", async () => {
      await create({ spend: aLedger() });
      await count(aCall(1, "1", NOW), aCall(2, "1", NOW + 1), aCall(3, "1", NOW + 2));
      expect(await ledgers.forgetCalls(NOW + 2, 1)).toBe(1);
      expect(await ledgers.forgetCalls(NOW + 2, 10)).toBe(1);
      expect(await db.query("select ended_at from counted_calls")).toEqual([{ ended_at: new Date(NOW + 2) }]);
    });
  });

  describe("a period", () => {
    const begun = aLedger({ periodStartedAt: RESET, resetsAt: NEXT_RESET, observedAt: RESET, readAt: RESET });

    it("advances with the first ledger of a later one, and is audited as Bursar's change", async () => {
      const before = await create();
      const after = await save(begun);
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
      for (const round of [1, 2, 3, 4]) {
        const times = { periodStartedAt: RESET + round * DAY, resetsAt: NEXT_RESET + round * DAY };
        const version = (await open())?.version ?? 0;
        const writers = Array.from({ length: 8 }, () =>
          save(aLedger({ ...times, readAt: RESET + round * DAY }), version),
        );
        expect((await Promise.all(writers)).filter((saved) => saved !== null)).toHaveLength(1);
        expect(await advances()).toHaveLength(round);
      }
    });

    it("never moves to an earlier one, nor to one that ends no later", async () => {
      const before = await create();
      await save(aLedger({ periodStartedAt: PERIOD_START - DAY, resetsAt: PERIOD_START }));
      await save(aLedger({ periodStartedAt: PERIOD_START + 1, resetsAt: RESET }), 1);
      expect((await tenants.load(acme))?.config).toEqual(before.config);
      expect(await advances()).toEqual([]);
    });

    it("takes a changed end from the newest read", async () => {
      const before = await create({ spend: aLedger() });
      const moved = await save(aLedger({ resetsAt: RESET - DAY, readAt: NOW + 1 }), 1);
      expect(moved?.config).toMatchObject({ budgetResetAt: RESET - DAY, litellmKeyLastReset: null });
      expect(moved?.config.revision).toBeGreaterThan(before.config.revision);
      const older = await save(aLedger({ resetsAt: RESET, readAt: NOW + 1 }), 2);
      expect(older?.config).toEqual(moved?.config);
      const later = await save(aLedger({ resetsAt: null, readAt: NOW + 2 }), 3);
      expect(later?.config.budgetResetAt).toBeNull();
      expect(await advances()).toEqual([]);
    });

    it("keeps the end that a sync has moved when an older read is saved", async () => {
      const { config } = await create({ spend: aLedger() });
      const outcome = aSyncOutcome({ readAt: NOW + 1, resetsAt: RESET - DAY, hasMovedReset: true });
      const moved = await tenants.recordSync(acme, config.revision, outcome);
      expect(moved?.config.budgetResetAt).toBe(RESET - DAY);
      await save(aLedger({ spendNanoUsd: usd("101") }), 1);
      expect((await tenants.load(acme))?.config).toEqual(moved?.config);
    });

    it("keeps the revision when it does not change", async () => {
      const before = await create();
      expect((await save(aLedger()))?.config).toEqual(before.config);
    });
  });

  it("replaces a ledger whose period an administrator resets, unless calls were counted since it was loaded", async () => {
    await create({ spend: aLedger() });
    const zeroed = replaceLedger(aLedger(), aRead({ spendNanoUsd: 0n }), NOW + SECOND, 0n);
    const actor = anActor();
    const reset = (version: number) =>
      tenants.resetPeriod({ tenantId: acme, subject: ofAcme, ledger: zeroed, version }, PERIOD_START, actor);
    await count(aCall(1, "1"));
    expect(await reset(1)).toBe("stale");
    expect((await tenants.load(acme))?.config.litellmKeyLastReset).toBeNull();
    expect(await reset(2)).toMatchObject({ tenant: { spend: { spendNanoUsd: 0n, epoch: 2 } } });
  });
});
