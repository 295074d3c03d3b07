// Deleting tenants, on each Postgres backend: hidden at once, removed once LiteLLM has synced.

import { describe, expect, it } from "vitest";
import { aLedger, MINUTE, NOW } from "../../budget/builders.ts";
import { insertAlert, insertChannel, insertDelivery } from "../../support/builders/alert-rows.ts";
import { aNewTenant, anActor, aTenantListQuery, hashOf, idOf } from "../../support/builders/builders.ts";
import { alertIdOf, uuidOf } from "../../support/builders/notice-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { auditLog, useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const later = anActor({ name: "bob", requestId: "request-2", now: NOW + MINUTE });

describe.each(postgresBackends)("Tenants on $name", (backend) => {
  const { db, tenants, create, saveLedger } = useTenants(backend);
  const audit = () => auditLog(db);

  describe("deleting", () => {
    it("hides the tenant from every reader at once, and audits the deletion", async () => {
      const before = await create();
      const deleted = await tenants.markDeleted(acme, later);
      expect(deleted?.deletedAt).toBe(later.now);
      expect(deleted?.config.revision).toBeGreaterThan(before.config.revision);
      expect(deleted?.sync.status).toBe("pending");
      expect(await tenants.load(acme)).toBeNull();
      expect(await tenants.findBySubject({ kind: "key", id: hashOf("a") })).toBeNull();
      expect(await tenants.findByKey(hashOf("a"))).toBeNull();
      expect(await saveLedger(before.config, aLedger())).toBeNull();
      expect(await tenants.markDeleted(acme, later)).toBeNull();
      const page = await tenants.list(aTenantListQuery());
      expect(page).toEqual({ tenants: [], next: null, counts: new Map() });
      expect((await audit())[1]).toMatchObject({
        action: "tenant_deleted",
        after: { deleted_at: "2026-11-15T12:01:00.000Z" },
      });
      expect(await audit()).toHaveLength(2);
    });

    it("keeps id and subject taken until the row is removed, and stays visible to the sync", async () => {
      await create();
      await tenants.markDeleted(acme, later);
      expect(await tenants.create(aNewTenant(), later)).toEqual({ ok: false, failure: "tenant_taken" });
      const sameSubject = aNewTenant({ tenantId: idOf("other") });
      expect(await tenants.create(sameSubject, later)).toEqual({ ok: false, failure: "subject_taken" });
      expect(await tenants.claimPendingSyncs(10, later.now + MINUTE)).toEqual([acme]);
      expect((await tenants.loadEvenDeleted(acme))?.deletedAt).toBe(later.now);
      await tenants.remove(acme);
      expect(await tenants.loadEvenDeleted(acme)).toBeNull();
      expect((await tenants.create(aNewTenant(), later)).ok).toBe(true);
    });

    it("frees the subject, but not the id, when LiteLLM has released it", async () => {
      await create();
      const deleted = await tenants.markDeleted(acme, later);
      expect(await tenants.recordRelease(acme, 0, later.now)).toBe(false);
      expect(await tenants.recordRelease(acme, deleted?.config.revision ?? 0, later.now)).toBe(true);
      expect(await tenants.claimPendingSyncs(10, later.now + 60 * MINUTE)).toEqual([]);
      expect(await tenants.create(aNewTenant(), later)).toEqual({ ok: false, failure: "tenant_taken" });
      expect((await tenants.create(aNewTenant({ tenantId: idOf("other") }), later)).ok).toBe(true);
    });

    it("skips the notices that wait, because nobody needs to hear of a deleted tenant", async () => {
      await create();
      await insertAlert(db);
      await insertAlert(db, { id: uuidOf(2) });
      await insertChannel(db);
      await insertDelivery(db);
      await insertDelivery(db, { alertId: alertIdOf(2), status: "sent" });
      await tenants.markDeleted(acme, later);
      expect(
        await db.query("select status, last_error, next_attempt_at from notice_deliveries order by alert_id"),
      ).toEqual([
        { status: "skipped", last_error: "the tenant was deleted", next_attempt_at: null },
        { status: "sent", last_error: null, next_attempt_at: new Date(NOW) },
      ]);
    });

    it("gives a recreated tenant a later revision than the deleted one", async () => {
      await create();
      const deleted = await tenants.markDeleted(acme, later);
      await tenants.remove(acme);
      expect((await create()).config.revision).toBeGreaterThan(deleted?.config.revision ?? Number.POSITIVE_INFINITY);
    });

    it("never removes a tenant that is not marked as deleted", async () => {
      const created = await create();
      await tenants.remove(acme);
      expect(await tenants.load(acme)).toEqual(created);
    });
  });
});
