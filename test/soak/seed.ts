// The run's tenants and channels, into Postgres as they are before anything has happened.

import type { NewTenant } from "../../src/records/tenant.ts";
import { aSpendRecord, NOW } from "../budget/builders.ts";
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
  const spend = adopted ? aSpendRecord({ spendNanoUsd, periodStartedAt: NOW }) : null;
  return { tenantId: idOf(name), name: `Tenant ${name}`, subject, maxBudgetNanoUsd, adopted, spend };
}

export async function insertSoakChannel(db: TenantDatabase, channel: SoakChannel): Promise<void> {
  const { id, tenantName, kind, name, target } = channel;
  const encrypted = await SEALER.encrypt(JSON.stringify(target));
  await insertChannel(db, { id, tenant_id: tenantName, kind, name, sealed_target: encrypted });
}

/** Postgres' random ids decide in which order it answers: here they are the same in every run. Before any other session. */
export async function makeIdsRepeatable(db: TenantDatabase): Promise<void> {
  await db.query("create schema repeatable");
  await db.query("create sequence repeatable.ids");
  await db.query(`create function repeatable.gen_random_uuid() returns uuid language sql volatile
    as $$ select md5(nextval('repeatable.ids')::text)::uuid $$`);
  const path = "search_path = repeatable, pg_catalog, public";
  const [row] = await db.query<{ name: string }>("select current_database() as name");
  await db.query(`alter database ${row?.name} set ${path}`);
  // The embedded one has a single session, which is there already.
  await db.query(`set ${path}`);
}
