// Spend batches: tenants found by key, team and id with their alert history; lower bounds and notes.

import { describe, expect, it } from "vitest";
import { postgresSpendBatches } from "../../../src/adapters/postgres/spend-batches.ts";
import type { Ledger } from "../../../src/budget/counting.ts";
import type { AuditNote } from "../../../src/records/audit.ts";
import type { SpendBound } from "../../../src/records/ledger.ts";
import type { SpendReference } from "../../../src/records/tenant.ts";
import { aLedger, DAY, MINUTE, NOW, PERIOD_START, RESET, SECOND, usd } from "../../budget/builders.ts";
import { anActor, hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { auditLog, useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const own = { kind: "key", id: hashOf("a") } as const;
const WITHOUT = { withPending: false };

describe.each(postgresBackends)("spend batches on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const spendBatches = postgresSpendBatches(() => db.database());
  const open = (...references: SpendReference[]) => spendBatches.load(references, WITHOUT);
  const bound = (spend: string, differences: Partial<SpendBound> = {}): SpendBound => ({
    tenantId: acme,
    subject: own,
    spendNanoUsd: usd(spend),
    observedAt: NOW + SECOND,
    periodStartedAt: PERIOD_START,
    resetsAt: RESET,
    ...differences,
  });
  const record = (bounds: SpendBound[], notes: AuditNote[] = []) =>
    spendBatches.count({ calls: [], bounds, notes }, NOW + SECOND).then((spends) => spends.get(acme)?.record);
  const stored = async () => (await tenants.load(acme))?.spend ?? null;
  /** The period of the builders' observations; a new tenant is not in it yet. */
  const createInPeriod = async (spend: Ledger | null = aLedger()) => {
    await create({ spend, subjectCreatedAt: PERIOD_START });
  };

  describe("loading", () => {
    it("resolves keys, teams and ids to tenants, each once, with the references", async () => {
      await createInPeriod();
      await create({ tenantId: idOf("globex"), subject: { kind: "team", id: "red" } });
      const references = [own, { kind: "tenant", id: acme }, { kind: "team", id: "red" }] as const;
      const tenantBatches = await open(...references, { kind: "key", id: hashOf("f") }, { kind: "team", id: "blue" });
      const found = tenantBatches.map(({ tenant, references: by }) => [
        tenant.config.tenantId,
        by.map(({ kind }) => kind).sort(),
      ]);
      expect(Object.fromEntries(found)).toEqual({ acme: ["key", "tenant"], globex: ["team"] });
    });

    it("runs no query without references", async () => {
      expect(await open()).toEqual([]);
    });

    it("finds no deleted tenant", async () => {
      await createInPeriod();
      await tenants.markDeleted(acme, anActor());
      expect(await open(own, { kind: "tenant", id: acme })).toEqual([]);
    });

    it("treats ids that Postgres cannot store as unknown", async () => {
      expect(await open({ kind: "team", id: "a\u0000b" }, { kind: "team", id: "\ud800" })).toEqual([]);
    });

    it("returns the same tenant as `load` of Tenants", async () => {
      await createInPeriod();
      expect((await open(own))[0]?.tenant).toEqual(await tenants.load(acme));
    });
  });

  describe("the alert history", () => {
    const alert = (identity: string, eventType: string, periodStartedAt: number, occurrence: number, at: number) =>
      db.query(
        `insert into budget_alert_history (id, tenant_id, identity, event_type, spend, max_budget, period_started_at,
          limit_version, occurrence, created_at) values (gen_random_uuid(), 'acme', $1, $2, 1, 1, $3, 1, $4, $5)`,
        [identity, eventType, new Date(periodStartedAt), occurrence, new Date(at)],
      );

    it("returns the last occurrence of each alert of the period, and the last block or resolution", async () => {
      await createInPeriod();
      await alert("old-threshold", "threshold_crossed", PERIOD_START - 30 * DAY, 0, NOW - 20 * DAY);
      await alert("old-blocked", "budget_blocked", PERIOD_START - 30 * DAY, 0, NOW - 19 * DAY);
      await alert("first", "threshold_crossed", PERIOD_START, 0, NOW - 2 * MINUTE);
      await alert("second", "threshold_crossed", PERIOD_START, 1, NOW - MINUTE);
      const [tenantBatch] = await open(own);
      expect(tenantBatch?.history.lastEvaluation).toBeNull();
      expect(tenantBatch?.history.alerts.map(({ identity }) => identity).sort()).toEqual(["old-blocked", "second"]);
      expect(tenantBatch?.history.alerts.find(({ identity }) => identity === "second")).toMatchObject({
        eventType: "threshold_crossed",
        periodStartedAt: PERIOD_START,
        limitVersion: 1,
        occurrence: 1,
        createdAt: NOW - MINUTE,
      });
    });

    it("includes deliveries not yet queued on request", async () => {
      await createInPeriod();
      await alert("a", "threshold_crossed", PERIOD_START, 0, NOW);
      await db.query(`insert into notification_channels (id, kind, name, sealed_target) values
        ('11111111-1111-4111-8111-111111111111', 'slack', 'a', 's'), ('22222222-2222-4222-8222-222222222222', 'slack', 'b', 's')`);
      await db.query(`insert into notice_deliveries (alert_id, channel_id, status, attempts)
        select a.id, c.id, 'pending', case when c.name = 'a' then 0 else 1 end
        from budget_alert_history a cross join notification_channels c`);
      expect((await open(own))[0]?.pending).toEqual([]);
      const [tenantBatch] = await spendBatches.load([own], { withPending: true });
      expect(tenantBatch?.pending.map(({ channelId }) => channelId[0])).toEqual(["1"]);
      await db.query("delete from notification_channels");
    });
  });

  describe("lower bounds", () => {
    it("raise the spend and keep the time of its read", async () => {
      await createInPeriod();
      const spend = await record([bound("120")]);
      expect(spend).toMatchObject({ spendNanoUsd: usd("120"), source: "webhook", readAt: NOW, epoch: 1 });
      expect(await stored()).toEqual(spend);
    });

    it("never lower the spend, in any order", async () => {
      await createInPeriod();
      for (const amount of ["120", "110", "130", "90"]) await record([bound(amount)]);
      await record([bound("131"), bound("129")]);
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("131") });
    });

    it("begin the spend of a tenant that was never read", async () => {
      await createInPeriod(null);
      await record([bound("120")]);
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("120"), readAt: null, epoch: 0 });
    });

    it("change nothing for an earlier period", async () => {
      await createInPeriod(aLedger({ periodStartedAt: RESET, resetsAt: RESET + 31 * DAY }));
      await record([bound("120")]);
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("100"), periodStartedAt: RESET });
    });

    it("change nothing for a former subject or no tenant, and count for the others", async () => {
      await createInPeriod();
      const others = [
        bound("120", { subject: { kind: "key", id: hashOf("b") } }),
        bound("120", { tenantId: idOf("nobody") }),
      ];
      await record(others);
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("100") });
      await record([...others, bound("120")]);
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("120") });
    });
  });

  describe("notes", () => {
    const note = (sourceId: string, differences: Partial<AuditNote> = {}): AuditNote => ({
      action: "webhook_received",
      tenantId: acme,
      detail: { event: "budget_crossed" },
      sourceId,
      at: NOW,
      ...differences,
    });

    it("records each note once", async () => {
      await record([], [note("a"), note("b")]);
      await record([], [note("b"), note("c")]);
      const lines = await auditLog(db);
      expect(lines.map(({ actor, action }) => `${actor} ${action}`)).toEqual(Array(3).fill("litellm webhook_received"));
      expect(lines[0]).toMatchObject({ at: new Date(NOW), detail: { event: "budget_crossed" } });
    });

    it("drops characters that jsonb rejects", async () => {
      await record([], [note("a", { detail: { event: "x\u0000y\ud800z" } })]);
      expect((await auditLog(db))[0]).toMatchObject({ detail: { event: "x\ufffdy\ufffdz" } });
    });
  });
});
