// Finding tenants by id, key and subject, each with every override, on each Postgres backend.

import { describe, expect, it } from "vitest";
import { MINUTE, NOW, usd } from "../../budget/builders.ts";
import { anActor, hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const later = anActor({ name: "bob", requestId: "request-2", now: NOW + MINUTE });

describe.each(postgresBackends)("Tenants on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);

  describe("finding", () => {
    it("finds a tenant by its key, and by its subject", async () => {
      const own = await create();
      const team = await create({
        tenantId: idOf("team"),
        subject: { kind: "team", id: "t1" },
        keyHashes: [hashOf("c")],
      });
      expect(await tenants.findByKey(hashOf("a"))).toEqual(own);
      expect(await tenants.findByKey(hashOf("c"))).toEqual(team);
      expect(await tenants.findBySubject({ kind: "team", id: "t1" })).toEqual(team);
      expect(await tenants.findBySubject({ kind: "key", id: hashOf("c") })).toBeNull();
    });

    it("finds no tenant for an unknown key, nor for one of a deleted tenant", async () => {
      await create({ keyHashes: [hashOf("f")] });
      expect(await tenants.findByKey(hashOf("b"))).toBeNull();
      await tenants.markDeleted(idOf("acme"), later);
      expect(await tenants.findByKey(hashOf("f"))).toBeNull();
    });

    it("returns every override whose end is not recorded, oldest first", async () => {
      await create();
      await db.query(
        `insert into budget_overrides (id, tenant_id, override_amount, created_at, expires_at, revoked_at, reason, created_by)
         values ('00000000-0000-4000-8000-000000000002', 'acme', 1.000000001, $2, $3, null, '', ''),
                ('00000000-0000-4000-8000-000000000001', 'acme', 50, $1, $2, $2, '', '')`,
        [new Date(NOW - 2), new Date(NOW - 1), new Date(NOW + 1)],
      );
      expect((await tenants.load(acme))?.config.overrides).toEqual([
        {
          id: "00000000-0000-4000-8000-000000000001",
          amountNanoUsd: usd("50"),
          createdAt: NOW - 2,
          expiresAt: NOW - 1,
          revokedAt: NOW - 1,
        },
        {
          id: "00000000-0000-4000-8000-000000000002",
          amountNanoUsd: usd("1.000000001"),
          createdAt: NOW - 1,
          expiresAt: NOW + 1,
          revokedAt: null,
        },
      ]);
    });
  });
});
