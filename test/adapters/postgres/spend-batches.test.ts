// Many tenants at once: found by key, team and id, with what their alerts depend on; figures that join and never advance.

import { describe, expect, it } from "vitest";
import { postgresSpendBatches } from "../../../src/adapters/postgres/spend-batches.ts";
import type { SpendRecord } from "../../../src/budget/spend.ts";
import type { AuditNote } from "../../../src/records/alert-record.ts";
import type { SpendReference, TenantObservation } from "../../../src/records/tenant-batch.ts";
import { aSpendRecord, DAY, MINUTE, NOW, PERIOD_START, RESET, SECOND, usd } from "../../budget/builders.ts";
import { anActor, hashOf, idOf } from "../../support/builders.ts";
import { postgresBackends } from "../../support/postgres-backends.ts";
import { auditLog, useTenants } from "../../support/tenant-database.ts";

const acme = idOf("acme");
const own = { kind: "key", id: hashOf("a") } as const;
const WITHOUT = { withPending: false };

describe.each(postgresBackends)("the ledger on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const spendBatches = postgresSpendBatches(() => db.database());
  const open = (...references: SpendReference[]) => spendBatches.open(references, WITHOUT);
  const reported = (differences: Partial<SpendRecord> = {}): SpendRecord =>
    aSpendRecord({
      spendNanoUsd: usd("120"),
      source: "webhook",
      readAt: null,
      observedAt: NOW + SECOND,
      ...differences,
    });
  const observation = (record: SpendRecord, differences: Partial<TenantObservation> = {}): TenantObservation => ({
    tenantId: acme,
    subject: own,
    record,
    ...differences,
  });
  const stored = async () => (await tenants.load(acme))?.spend ?? null;
  /** The running period of the builders' figures, which a new tenant is not in by itself. */
  const createInPeriod = async (spend: SpendRecord | null = aSpendRecord()) => {
    await create({ spend, subjectCreatedAt: PERIOD_START });
  };

  describe("opening", () => {
    it("leads from keys, teams and ids to their tenants, each once, and says by what", async () => {
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

    it("asks nobody when there is nothing to ask for", async () => {
      expect(await open()).toEqual([]);
    });

    it("knows no deleted tenant", async () => {
      await createInPeriod();
      await tenants.markDeleted(acme, anActor());
      expect(await open(own, { kind: "tenant", id: acme })).toEqual([]);
    });

    it("takes ids that Postgres could not keep for ids that nobody has", async () => {
      expect(await open({ kind: "team", id: "a\u0000b" }, { kind: "team", id: "\ud800" })).toEqual([]);
    });

    it("answers the tenant as `load` does", async () => {
      await createInPeriod();
      expect((await open(own))[0]?.tenant).toEqual(await tenants.load(acme));
    });
  });

  describe("the standing", () => {
    const alert = (identity: string, eventType: string, periodStartedAt: number, occurrence: number, at: number) =>
      db.query(
        `insert into budget_alert_history (id, tenant_id, identity, event_type, spend, max_budget, period_started_at,
          limit_version, occurrence, created_at) values (gen_random_uuid(), 'acme', $1, $2, 1, 1, $3, 1, $4, $5)`,
        [identity, eventType, new Date(periodStartedAt), occurrence, new Date(at)],
      );

    it("is the last occurrence of each alert of the period, and the last word on being blocked", async () => {
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

    it("tells of deliveries that nobody has begun, when it is asked to", async () => {
      await createInPeriod();
      await alert("a", "threshold_crossed", PERIOD_START, 0, NOW);
      await db.query(`insert into notification_channels (id, kind, name, sealed_target) values
        ('11111111-1111-4111-8111-111111111111', 'slack', 'a', 's'), ('22222222-2222-4222-8222-222222222222', 'slack', 'b', 's')`);
      await db.query(`insert into notice_deliveries (alert_id, channel_id, status, attempts)
        select a.id, c.id, 'pending', case when c.name = 'a' then 0 else 1 end
        from budget_alert_history a cross join notification_channels c`);
      expect((await open(own))[0]?.pending).toEqual([]);
      const [tenantBatch] = await spendBatches.open([own], { withPending: true });
      expect(tenantBatch?.pending.map(({ channelId }) => channelId[0])).toEqual(["1"]);
      await db.query("delete from notification_channels");
    });
  });

  describe("figures", () => {
    it("raise what is known and leave its read alone", async () => {
      await createInPeriod();
      await spendBatches.record([observation(reported())], []);
      expect(await stored()).toMatchObject({
        spendNanoUsd: usd("120"),
        source: "webhook",
        readAt: NOW,
        resetsAt: RESET,
      });
    });

    it("never lower it, in whatever order", async () => {
      await createInPeriod();
      for (const amount of ["120", "110", "130", "90"]) {
        await spendBatches.record([observation(reported({ spendNanoUsd: usd(amount) }))], []);
      }
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("130") });
    });

    it("are the first of a tenant that was never read", async () => {
      await createInPeriod(null);
      await spendBatches.record([observation(reported())], []);
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("120"), readAt: null });
    });

    it("of an earlier period change nothing", async () => {
      await createInPeriod(aSpendRecord({ periodStartedAt: RESET, resetsAt: RESET + 31 * DAY }));
      await spendBatches.record([observation(reported())], []);
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("100"), periodStartedAt: RESET });
    });

    it("of a former subject, or of nobody, change nothing and do not stop the others", async () => {
      await createInPeriod();
      const others = [
        observation(reported(), { subject: { kind: "key", id: hashOf("b") } }),
        observation(reported(), { tenantId: idOf("nobody") }),
      ];
      await spendBatches.record(others, []);
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("100") });
      await spendBatches.record([...others, observation(reported())], []);
      expect(await stored()).toMatchObject({ spendNanoUsd: usd("120") });
    });

    it("of fifty tenants from ten writers at once end in the highest of each", async () => {
      const ids = Array.from({ length: 50 }, (_, index) => idOf(`t${index}`));
      for (const tenantId of ids) {
        await create({ tenantId, subject: { kind: "team", id: tenantId }, subjectCreatedAt: PERIOD_START });
      }
      const batch = (writer: number) =>
        (writer % 2 === 0 ? ids : ids.toReversed()).map((tenantId) =>
          observation(reported({ spendNanoUsd: usd(String(100 + writer)) }), {
            tenantId,
            subject: { kind: "team", id: tenantId },
          }),
        );
      await Promise.all(Array.from({ length: 10 }, (_, writer) => spendBatches.record(batch(writer), [])));
      const rows = await db.query("select distinct spend::float8 as spend from tenant_spend");
      expect(rows).toEqual([{ spend: 109 }]);
    }, 30_000);
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

    it("are one line each, however often they are told", async () => {
      await spendBatches.record([], [note("a"), note("b")]);
      await spendBatches.record([], [note("b"), note("c")]);
      const lines = await auditLog(db);
      expect(lines.map(({ actor, action }) => `${actor} ${action}`)).toEqual(Array(3).fill("litellm webhook_received"));
      expect(lines[0]).toMatchObject({ at: new Date(NOW), detail: { event: "budget_crossed" } });
    });

    it("keep words that jsonb does not take, without what it does not take", async () => {
      await spendBatches.record([], [note("a", { detail: { event: "x\u0000y\ud800z" } })]);
      expect((await auditLog(db))[0]).toMatchObject({ detail: { event: "x\ufffdy\ufffdz" } });
    });
  });
});
