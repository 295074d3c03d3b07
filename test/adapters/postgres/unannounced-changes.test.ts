// Changes without an alert, found in the audit log, on each Postgres backend.

import { describe, expect, it } from "vitest";
import { postgresAlerts } from "../../../src/adapters/postgres/alerts/alerts.ts";
import { postgresOverrides } from "../../../src/adapters/postgres/tenants/overrides.ts";
import { DAY, MINUTE, NOW } from "../../budget/builders.ts";
import { insertAlert } from "../../support/builders/alert-rows.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { aNewOverride } from "../../support/builders/override-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");

describe.each(postgresBackends)("unannounced changes on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const overrides = postgresOverrides(() => db.database());
  const alerts = postgresAlerts(() => db.database());
  const late = (until = NOW + 2 * DAY, limit = 10) => alerts.listUnannounced({ since: NOW - DAY, until }, limit);
  const unannounced = async (...args: Parameters<typeof late>) => (await late(...args)).map(({ change }) => change);
  const audit = async (action: string, at: number, tenantId = "acme", detail: object | null = null) =>
    Number(
      (
        await db.query<{ id: string }>(
          "insert into audit_log (at, actor, action, tenant_id, detail) values ($1, 'a', $2, $3, $4) returning id",
          [new Date(at), action, tenantId, detail],
        )
      )[0]?.id,
    );

  it("finds overrides granted, revoked and expired", async () => {
    await create();
    await overrides.grant(aNewOverride(), anActor());
    await overrides.grant(aNewOverride({ id: uuidOf(2) }), anActor({ now: NOW + 1 }));
    await overrides.revoke({ tenantId: acme, overrideId: uuidOf(2) }, anActor({ name: "bob", now: NOW + MINUTE }));
    await overrides.recordEnds(10, NOW + DAY);
    const revoked = { id: uuidOf(2), revokedAt: NOW + MINUTE, revokedBy: "bob" };
    expect(await unannounced()).toMatchObject([
      { eventType: "override_granted", override: { id: uuidOf(1), tenantId: "acme", reason: "launch week" } },
      { eventType: "override_granted", override: revoked },
      { eventType: "override_ended", override: revoked },
      { eventType: "override_ended", override: { id: uuidOf(1), revokedAt: null } },
    ]);
    expect(await unannounced(NOW)).toHaveLength(1);
    expect(await unannounced(NOW + DAY, 2)).toHaveLength(2);
  });

  it("finds suspensions and resumptions, and no other audit line", async () => {
    await create();
    const suspended = await audit("tenant_suspended", NOW);
    const resumed = await audit("tenant_resumed", NOW + 1);
    await audit("tenant_changed", NOW + 2);
    expect(await unannounced()).toEqual([
      { eventType: "tenant_suspended", tenantId: "acme", auditId: suspended },
      { eventType: "tenant_resumed", tenantId: "acme", auditId: resumed },
    ]);
  });

  it("marks a change as reverted by a later opposite line of the tenant or override", async () => {
    await create();
    await overrides.grant(aNewOverride(), anActor());
    await overrides.grant(aNewOverride({ id: uuidOf(2) }), anActor());
    await overrides.revoke({ tenantId: acme, overrideId: uuidOf(2) }, anActor());
    await audit("tenant_suspended", NOW + 4);
    await audit("tenant_resumed", NOW + 3);
    await audit("tenant_suspended", NOW + 5);
    await audit("tenant_resumed", NOW + 6, "other");
    const found = (await late()).map(({ change, isReverted }) => [
      "override" in change ? change.override.id : null,
      change.eventType,
      isReverted,
    ]);
    expect(found).toEqual([
      [uuidOf(1), "override_granted", false],
      [uuidOf(2), "override_granted", true],
      [uuidOf(2), "override_ended", false],
      [null, "tenant_resumed", true],
      [null, "tenant_suspended", true],
      [null, "tenant_suspended", false],
    ]);
    await overrides.recordEnds(10, NOW + DAY);
    expect((await late())[0]).toMatchObject({ change: { eventType: "override_granted" }, isReverted: true });
  });

  it("omits a change once an alert of the same kind exists", async () => {
    await create();
    await overrides.grant(aNewOverride(), anActor());
    const auditId = await audit("tenant_suspended", NOW);
    await insertAlert(db, { id: uuidOf(1), event_type: "override_ended", detail: { override_id: uuidOf(1) } });
    await insertAlert(db, { id: uuidOf(2), event_type: "tenant_resumed", detail: { audit_id: auditId } });
    expect(await unannounced()).toHaveLength(2);
    await insertAlert(db, { id: uuidOf(3), event_type: "override_granted", detail: { override_id: uuidOf(1) } });
    await insertAlert(db, { id: uuidOf(4), event_type: "tenant_suspended", detail: { audit_id: auditId } });
    expect(await unannounced()).toEqual([]);
  });

  it("omits deleted tenants and earlier tenants of the same id", async () => {
    await audit("tenant_suspended", NOW, "nobody");
    await audit("tenant_suspended", NOW - 1);
    await audit("override_granted", NOW, "acme", { override_id: uuidOf(7) });
    await create();
    expect(await unannounced()).toEqual([]);
    await audit("tenant_suspended", NOW);
    expect(await unannounced()).toHaveLength(1);
    await tenants.markDeleted(acme, anActor());
    expect(await unannounced()).toEqual([]);
  });

  it("uses its own index", async () => {
    await create();
    const plan = await db.query<{ "QUERY PLAN": string }>(`explain select id from audit_log l
      where l.action in ('override_granted', 'override_revoked', 'override_ended', 'tenant_suspended', 'tenant_resumed')
        and l.at >= now() - interval '3 days' order by l.at limit 10`);
    expect(plan.map((line) => line["QUERY PLAN"]).join("\n")).toMatch(/idx_audit_log_told/);
  });
});
