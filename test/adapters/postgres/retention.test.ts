// Deleting rows by age, on each Postgres backend: what stays however old it is, and that nothing is announced anew.

import { beforeEach, describe, expect, it } from "vitest";
import { postgresRetention } from "../../../src/adapters/postgres/retention.ts";
import { postgresSpendBatches } from "../../../src/adapters/postgres/spend-batches.ts";
import type { Purged } from "../../../src/ports/retention.ts";
import { aLedger, DAY, MINUTE, NOW, PERIOD_START } from "../../budget/builders.ts";
import { insertAlert, insertChannel, insertDelivery } from "../../support/builders/alert-rows.ts";
import { anActor, aSyncOutcome, idOf } from "../../support/builders/builders.ts";
import { alertIdOf, uuidOf } from "../../support/builders/notice-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const OLD = NOW - 500 * DAY;
const CUTOFF = NOW - 400 * DAY;

describe.each(postgresBackends)("retention on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const retention = postgresRetention(() => db.database());
  const batches = postgresSpendBatches(() => db.database());
  beforeEach(() => db.query("truncate dead_letters, counted_webhooks"));

  const purge = (what: Purged, before = CUTOFF, limit = 100) => retention.purge(what, { from: null, before }, limit);
  const ids = async (table: string, id = "id") =>
    (await db.query<{ id: string }>(`select ${id}::text as id from ${table} order by 1`)).map((row) => row.id);
  const inPeriod = (start: number) => ({ period_started_at: new Date(start) });
  /** The tenant's period begins where those of the builders do. */
  const begin = () => create({ subjectCreatedAt: PERIOD_START, spend: aLedger() });
  const alert = (index: number, event_type: string, at: number, periodStart = OLD - DAY) =>
    insertAlert(db, { id: uuidOf(index), event_type, created_at: new Date(at), ...inPeriod(periodStart) });

  it("deletes audit lines in the order of their age, as many as asked", async () => {
    const line = (at: number) =>
      db.query("insert into audit_log (at, actor, action) values ($1, 'bursar', 'spend_fell')", [new Date(at)]);
    for (const at of [OLD + 2, OLD, OLD + 1, CUTOFF]) await line(at);
    expect(await purge("audit_lines", CUTOFF, 2)).toBe(2);
    expect(await ids("audit_log")).toEqual(["1", "4"]);
    expect(await purge("audit_lines", CUTOFF, 2)).toBe(1);
    expect(await purge("audit_lines", CUTOFF, 2)).toBe(0);
    expect(await ids("audit_log")).toEqual(["4"]);
  });

  it("deletes only the rows within the asked age", async () => {
    await begin();
    for (const [index, at] of [OLD, OLD + DAY, OLD + 2 * DAY].entries())
      await alert(index + 1, "threshold_crossed", at);
    const age = { from: OLD + DAY, before: OLD + 2 * DAY };
    expect(await retention.purge("alerts", age, 100)).toBe(1);
    expect(await ids("budget_alert_history")).toEqual([uuidOf(1), uuidOf(3)]);
  });

  it("keeps the alerts of a running period, however old they are", async () => {
    await create({ subjectCreatedAt: OLD, spend: aLedger() });
    await alert(1, "threshold_crossed", OLD + 1, OLD);
    await alert(2, "threshold_crossed", OLD + 1, OLD - DAY);
    expect(await purge("alerts")).toBe(1);
    expect(await ids("budget_alert_history")).toEqual([uuidOf(1)]);
  });

  it("keeps the block that an end may still come for, and the last end", async () => {
    await begin();
    await alert(1, "budget_blocked", OLD);
    await alert(2, "budget_resolved", OLD + 1);
    await alert(3, "budget_blocked", OLD + 2);
    expect(await purge("alerts")).toBe(2);
    expect(await ids("budget_alert_history")).toEqual([uuidOf(3)]);
    await alert(4, "budget_resolved", OLD + 3);
    expect(await purge("alerts")).toBe(1);
    expect(await ids("budget_alert_history")).toEqual([uuidOf(4)]);
  });

  it("leaves the next evaluation everything that it compares with, so that nothing is announced anew", async () => {
    await begin();
    await alert(1, "threshold_crossed", OLD);
    await alert(2, "budget_blocked", OLD + 1);
    await alert(3, "threshold_crossed", OLD + 2, PERIOD_START);
    await alert(4, "budget_crossed", OLD + 3, PERIOD_START);
    const load = () => batches.load([{ kind: "tenant", id: acme }], { withPending: false });
    const before = await load();
    expect(before[0]?.history.alerts).toHaveLength(3);
    expect(await purge("alerts")).toBe(1);
    expect(await load()).toEqual(before);
  });

  it("deletes deliveries of every status by their last change, and leaves the alert", async () => {
    await begin();
    await insertAlert(db);
    await insertAlert(db, { id: uuidOf(2) });
    await insertChannel(db);
    const old = { updated_at: new Date(OLD) };
    await insertDelivery(db, { ...old, status: "pending" });
    await insertDelivery(db, { alertId: alertIdOf(2), status: "sent" });
    expect(await purge("deliveries")).toBe(1);
    expect(await ids("notice_deliveries", "alert_id")).toEqual([uuidOf(2)]);
    expect(await ids("budget_alert_history")).toHaveLength(2);
  });

  it("deletes old alerts of the platform that have ended, with their deliveries", async () => {
    const platformAlert = (index: number, endedAt: number | null) =>
      db.query(
        `insert into platform_alerts (id, kind, detail, begun_at, created_at, ended_at)
          values ($1, 'dead_letter', '{}', $2, $2, $3)`,
        [uuidOf(index), new Date(OLD), endedAt === null ? null : new Date(endedAt)],
      );
    await platformAlert(1, OLD + 1);
    await platformAlert(2, null);
    expect(await purge("platform_alerts")).toBe(1);
    expect(await ids("platform_alerts")).toEqual([uuidOf(2)]);
  });

  it("deletes dead letters, replayed or not, and the identities of counted webhooks", async () => {
    for (const at of [OLD, NOW]) {
      await db.query(
        "insert into dead_letters (id, queue, message_id, body, recorded_at) values (gen_random_uuid(), 'q', $1, '{}', $2)",
        [`of ${at}`, new Date(at)],
      );
      await db.query("insert into counted_webhooks (id, counted_at) values ($1, $2)", [`of ${at}`, new Date(at)]);
    }
    expect([await purge("dead_letters"), await purge("counted_webhooks")]).toEqual([1, 1]);
    expect(await ids("dead_letters", "message_id")).toEqual([`of ${NOW}`]);
    expect(await ids("counted_webhooks")).toEqual([`of ${NOW}`]);
  });

  it("deletes a tenant that was deleted and released, with its history, and leaves its audit", async () => {
    await begin();
    await insertAlert(db);
    await insertChannel(db, { tenant_id: "acme" });
    await insertDelivery(db);
    expect(await purge("deleted_tenants", NOW + DAY)).toBe(0);
    const deleted = await tenants.markDeleted(acme, anActor({ now: NOW + MINUTE }));
    expect(await purge("deleted_tenants", NOW + DAY)).toBe(0);
    await tenants.recordRelease(acme, deleted?.config.revision ?? 0, NOW + MINUTE);
    expect(await purge("deleted_tenants", NOW + MINUTE)).toBe(0);
    expect(await purge("deleted_tenants", NOW + DAY)).toBe(1);
    const tables = ["tenant_configs", "budget_alert_history", "notification_channels", "notice_deliveries"];
    for (const table of tables) expect(await db.query(`select from ${table}`)).toEqual([]);
    expect(await ids("audit_log", "action")).toEqual(["tenant_created", "tenant_deleted"]);
    expect(await create()).toMatchObject({ deletedAt: null });
  });

  it("two purges at once delete each row once", async () => {
    await db.query(
      "insert into audit_log (at, actor, action) select $1, 'bursar', 'spend_fell' from generate_series(1, 50)",
      [new Date(OLD)],
    );
    const counts = await Promise.all([purge("audit_lines"), purge("audit_lines"), purge("audit_lines")]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(50);
    expect(await ids("audit_log")).toEqual([]);
  });

  it("keeps a tenant with an unfinished sync until LiteLLM has released it", async () => {
    const created = await create();
    await tenants.recordSync(acme, created.config.revision, aSyncOutcome());
    await tenants.markDeleted(acme, anActor({ now: OLD }));
    expect(await purge("deleted_tenants")).toBe(0);
    expect(await tenants.loadEvenDeleted(acme)).not.toBeNull();
  });
});
