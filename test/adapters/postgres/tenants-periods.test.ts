// Ended periods on each Postgres backend: which tenants are claimed, in which order and how often.

import { describe, expect, it } from "vitest";
import { aLedger, DAY, MINUTE, NOW, PERIOD_START, RESET, SECOND, usd } from "../../budget/builders.ts";
import { aNewTenant, anActor, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { auditLog, useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const HOUR = 60 * MINUTE;

describe.each(postgresBackends)("Periods on $name", (backend) => {
  const { db, tenants, ledgers, create } = useTenants(backend);
  /** Team tenants whose periods end at the given instants. */
  const ending = async (ends: Record<string, number | null>) => {
    for (const [id, budgetResetAt] of Object.entries(ends)) {
      await create({ tenantId: idOf(id), subject: { kind: "team", id }, budgetResetAt });
    }
  };
  const claimed = async (now: number, limit = 10) =>
    (await tenants.claimEndedPeriods(limit, now)).map(({ tenantId }) => tenantId).sort();

  describe("ended periods", () => {
    it("claims ended periods, longest overdue first, and no others", async () => {
      await ending({ a: RESET - DAY, b: RESET, c: RESET + 1, d: null, e: RESET - 2 * DAY });
      await tenants.markDeleted(idOf("e"), anActor());
      expect(await claimed(RESET, 1)).toEqual(["a"]);
      expect(await claimed(RESET, 10)).toEqual(["b"]);
      expect(await tenants.claimEndedPeriods(10, RESET + 1)).toEqual([{ tenantId: "c", subjectId: "c" }]);
    });

    it("claims a period again after 30 s, later with backoff", async () => {
      await ending({ a: RESET });
      expect(await claimed(RESET)).toEqual(["a"]);
      expect(await claimed(RESET + 30 * SECOND - 1)).toEqual([]);
      expect(await claimed(RESET + 30 * SECOND)).toEqual(["a"]);
      expect(await claimed(RESET + 10 * HOUR)).toEqual(["a"]);
      expect(await claimed(RESET + 10 * HOUR + 31 * MINUTE)).toEqual([]);
      expect(await claimed(RESET + 10 * HOUR + 32 * MINUTE)).toEqual(["a"]);
      expect(await claimed(RESET + 90 * DAY)).toEqual(["a"]);
      expect(await claimed(RESET + 90 * DAY + HOUR)).toEqual(["a"]);
      await ending({ b: RESET + 90 * DAY });
      expect(await claimed(RESET + 90 * DAY + 2 * HOUR, 1)).toEqual(["b"]);
    });

    it("gives each period to one of two sweeps", async () => {
      await ending({ a: RESET, b: RESET, c: RESET });
      const both = await Promise.all([claimed(RESET, 2), claimed(RESET, 2)]);
      expect(both.flat().sort()).toEqual(["a", "b", "c"]);
    });

    it("claims without a new revision", async () => {
      const { config } = await create();
      await claimed(RESET);
      expect((await tenants.load(acme))?.config).toEqual(config);
    });
  });

  describe("a reset by an administrator", () => {
    const subject = aNewTenant().subject;
    const ledger = aLedger({ spendNanoUsd: 0n, periodStartedAt: NOW + MINUTE, readAt: NOW + MINUTE });
    const reset = async (since: number) => {
      const [open] = await ledgers.load([{ tenantId: acme, subject, answeredAt: 0 }]);
      const change = { tenantId: acme, subject, ledger, version: open?.version ?? 0 };
      const done = await tenants.resetPeriod(change, since, anActor());
      if (done === "stale") throw new Error("nobody else changes the ledger");
      return done;
    };

    it("resets the period that was read, and no other", async () => {
      await create({ subjectCreatedAt: PERIOD_START, spend: aLedger({ spendNanoUsd: usd("600") }) });
      expect(await reset(PERIOD_START - 1)).toMatchObject({
        auditId: null,
        tenant: { spend: { spendNanoUsd: usd("600") } },
      });
      const done = await reset(PERIOD_START);
      expect(done).toMatchObject({
        auditId: expect.any(Number),
        tenant: { periodSeenAt: NOW + MINUTE, spend: { spendNanoUsd: 0n } },
      });
      expect(await tenants.load(acme)).toEqual(done?.tenant);
      expect(await reset(PERIOD_START)).toEqual({ tenant: done?.tenant, auditId: null });
      const hadBegun = ["period_reset", { period_had_begun: true }];
      expect((await auditLog(db)).map(({ action, detail }) => [action, detail])).toEqual([
        ["tenant_created", null],
        hadBegun,
        ["period_reset", null],
        hadBegun,
      ]);
    });

    it("returns null when the tenant is deleted or has another subject", async () => {
      expect(await reset(PERIOD_START)).toBeNull();
      await create({ subject: { kind: "team", id: "red" }, subjectCreatedAt: PERIOD_START });
      expect(await reset(PERIOD_START)).toBeNull();
    });
  });
});
