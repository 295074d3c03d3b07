// The first ledger of a tenant, saved by several consumers at once: saved once, and none of them deadlocks.

import { describe, expect, it } from "vitest";
import { postgresLedgers } from "../../../src/adapters/postgres/tenants/ledgers.ts";
import { aLedger } from "../../budget/builders.ts";
import { hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

describe.each(postgresBackends)("first ledgers on $name", (backend) => {
  const { db, create } = useTenants(backend);
  const ledgers = postgresLedgers(() => db.database());

  it("are saved once under concurrent writers, none of which deadlocks", async () => {
    for (const round of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const tenantId = idOf(`new-${round}`);
      const subject = { kind: "key", id: hashOf(String(round)) } as const;
      await create({ tenantId, subject, keyHashes: [subject.id] });
      const change = { tenantId, subject, ledger: aLedger(), version: 0 };
      const saved = await Promise.all(Array.from({ length: 8 }, () => ledgers.save([change])));
      expect(saved.flat()).toHaveLength(1);
    }
  });
});
