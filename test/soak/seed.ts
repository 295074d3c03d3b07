// Inserts the run's tenants and channels into Postgres.

import type { NewTenant } from "../../src/records/tenant.ts";
import { aLedger, NOW } from "../budget/builders.ts";
import { insertChannel } from "../support/builders/alert-rows.ts";
import { idOf } from "../support/builders/builders.ts";
import type { TenantDatabase } from "../support/servers/tenant-database.ts";
import type { SoakChannel } from "./channels.ts";
import { SEALER } from "./soak-world.ts";
import type { SoakTenant } from "./traffic.ts";

export function newSoakTenant(tenant: SoakTenant): Partial<NewTenant> {
  const { name, subject, limitNanoUsd: maxBudgetNanoUsd, adoptedAtNanoUsd } = tenant;
  const spendNanoUsd = adoptedAtNanoUsd ?? 0n;
  const adopted = adoptedAtNanoUsd !== null;
  const spend = adopted ? aLedger({ spendNanoUsd, periodStartedAt: NOW }) : null;
  return { tenantId: idOf(name), name: `Tenant ${name}`, subject, maxBudgetNanoUsd, adopted, spend };
}

export async function insertSoakChannel(db: TenantDatabase, channel: SoakChannel): Promise<void> {
  const { id, tenantName, kind, name, target } = channel;
  const encrypted = await SEALER.encrypt(JSON.stringify(target));
  await insertChannel(db, { id, tenant_id: tenantName, kind, name, sealed_target: encrypted });
}

/** Makes Postgres' random ids the same in every run, because the order of rows depends on them. Call it first. */
export async function makeIdsRepeatable(db: TenantDatabase): Promise<void> {
  await db.query("create schema repeatable");
  await db.query("create sequence repeatable.ids");
  await db.query(`create function repeatable.gen_random_uuid() returns uuid language sql volatile
    as $$ select md5(nextval('repeatable.ids')::text)::uuid $$`);
  const path = "search_path = repeatable, pg_catalog, public";
  const [row] = await db.query<{ name: string }>("select current_database() as name");
  await db.query(`alter database ${row?.name} set ${path}`);
  // The embedded Postgres has only one session, which is already open.
  await db.query(`set ${path}`);
}
