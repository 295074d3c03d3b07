// Resets without an alert, found by the tenants' rows, on each Postgres backend.

import { PgDialect } from "drizzle-orm/pg-core";
import { describe, expect, it, vi } from "vitest";
import { postgresAlerts } from "../../../src/adapters/postgres/alerts/alerts.ts";
import { selectResets } from "../../../src/adapters/postgres/alerts/unannounced-changes.ts";
import { alertIdentity } from "../../../src/budget/alert.ts";
import { DAY, MINUTE, NOW, PERIOD_START } from "../../budget/builders.ts";
import { insertAlert } from "../../support/builders/alert-rows.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const within = { since: NOW - 3 * DAY, until: NOW };

describe.each(postgresBackends)("unannounced resets on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const alerts = postgresAlerts(() => db.database());
  const unannounced = async (until = NOW, limit = 10) =>
    (await alerts.listUnannounced({ ...within, until }, limit)).map(({ change }) => change);
  const began = (tenantId: string, periodStartedAt: number, seenAt = periodStartedAt) =>
    db.query("update tenant_configs set litellm_key_last_reset = $2, period_seen_at = $3 where tenant_id = $1", [
      tenantId,
      new Date(periodStartedAt),
      new Date(seenAt),
    ]);
  const resetOf = (tenantId: string, periodStartedAt: number) => ({
    eventType: "budget_reset" as const,
    tenantId: idOf(tenantId),
    periodStartedAt,
  });

  it("finds running periods that were seen in the window, the earliest first, and no first period", async () => {
    for (const id of ["a", "b", "c", "d"]) await create({ tenantId: idOf(id), subject: { kind: "team", id } });
    await began("a", NOW - MINUTE, NOW);
    await began("b", NOW - DAY, NOW - MINUTE);
    await began("c", NOW - 4 * DAY, within.since - 1);
    expect(await unannounced()).toEqual([resetOf("b", NOW - DAY), resetOf("a", NOW - MINUTE)]);
    expect(await unannounced(NOW - 1)).toEqual([resetOf("b", NOW - DAY)]);
    expect(await unannounced(NOW, 1)).toEqual([resetOf("b", NOW - DAY)]);
  });

  it("omits a reset with the identity of an alert, and finds the next one", async () => {
    await create();
    await began("acme", NOW - DAY);
    await insertAlert(db, { identity: alertIdentity(resetOf("acme", NOW - DAY)), event_type: "budget_reset" });
    expect(await unannounced()).toEqual([]);
    await began("acme", NOW - MINUTE);
    await insertAlert(db, { id: uuidOf(2), identity: alertIdentity(resetOf("other", NOW - MINUTE)) });
    expect(await unannounced()).toEqual([resetOf("acme", NOW - MINUTE)]);
  });

  it("omits deleted tenants", async () => {
    await create();
    await began("acme", NOW - MINUTE);
    await tenants.markDeleted(acme, anActor());
    expect(await unannounced()).toEqual([]);
  });

  it("finds the others when one row cannot be read", async () => {
    await create();
    await create({ tenantId: idOf("globex"), subject: { kind: "team", id: "globex" } });
    await began("acme", NOW - MINUTE);
    await began("globex", NOW - MINUTE);
    await db.query("update tenant_configs set litellm_key_last_reset = 'infinity' where tenant_id = 'globex'");
    const onFault = vi.fn();
    const found = await alerts.listUnannounced(within, 10, onFault);
    expect(found).toEqual([{ change: resetOf("acme", NOW - MINUTE), isReverted: false }]);
    expect(onFault).toHaveBeenCalledExactlyOnceWith({ tenantId: "globex", cause: expect.any(Error) });
  });

  it("reads an index in its order, among 100,000 tenants", { timeout: 2 * MINUTE }, async () => {
    await db.query(
      `insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at, litellm_key_last_reset, period_seen_at)
      select 't' || n, 'team', 't' || n, $1, $2, $2::timestamptz - n * interval '30 seconds' from generate_series(1, 100000) n`,
      [new Date(PERIOD_START), new Date(NOW)],
    );
    await db.query("analyze tenant_configs");
    const { sql, params } = new PgDialect().sqlToQuery(selectResets(within, 100));
    const lines = await db.query<{ "QUERY PLAN": string }>(`explain ${sql}`, params);
    const plan = lines.map((line) => line["QUERY PLAN"]).join("\n");
    expect(plan).toMatch(/Index Scan using idx_tenant_configs_period_seen/);
    expect(plan).toMatch(/budget_alert_history_identity_unique/);
    expect(plan).not.toMatch(/Sort|Seq Scan/);
  });
});
