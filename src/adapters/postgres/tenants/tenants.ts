// The Tenants port on Postgres: its readers, and the list of all its verbs. Tenants marked as deleted are invisible,
// except to the readers that finish the deletion in LiteLLM.

import { type SQL, sql } from "drizzle-orm";
import type { KeyHash } from "../../../budget/tenant.ts";
import type { Tenants } from "../../../ports/stores.ts";
import type { TenantRecord } from "../../../records/tenant.ts";
import { type Database, runStatement } from "../client.ts";
import { changeTenant, markTenantDeleted, removeTenant, setTenantSuspended } from "./tenant-changes.ts";
import { createTenant } from "./tenant-creation.ts";
import { listTenants } from "./tenant-list.ts";
import { claimEndedPeriods, findUnannounced, notePeriodAnnounced, resetTenantPeriod } from "./tenant-periods.ts";
import { firstTenant, selectTenants, tenantFromRow } from "./tenant-rows.ts";
import {
  claimPendingSyncs,
  noteTenantBlock,
  noteTenantMark,
  recordPriorValues,
  recordTenantSync,
} from "./tenant-sync.ts";

export function postgresTenants(database: Database): Tenants {
  const first = async (where: SQL) => firstTenant(await runStatement(database, sql`${selectTenants()} where ${where}`));
  return {
    load: (tenantId) => first(sql`t.tenant_id = ${tenantId} and t.deleted_at is null`),
    loadEvenDeleted: (tenantId) => first(sql`t.tenant_id = ${tenantId}`),
    findBySubject: ({ kind, id }) =>
      first(sql`t.subject_kind = ${kind} and t.subject_id = ${id} and t.deleted_at is null`),
    findByKey: (keyHash) => findByKey(database, keyHash),
    list: (query) => listTenants(database, query),
    create: (tenant, actor) => createTenant(database, tenant, actor),
    change: (tenantId, change, actor) => changeTenant(database, tenantId, change, actor),
    setSuspended: (tenantId, isSuspended, actor) => setTenantSuspended(database, tenantId, isSuspended, actor),
    markDeleted: (tenantId, actor) => markTenantDeleted(database, tenantId, actor),
    remove: (tenantId) => removeTenant(database, tenantId),
    recordSync: (tenantId, revision, outcome) => recordTenantSync(database, tenantId, revision, outcome),
    recordPriorValues: (tenantId, revision, values) => recordPriorValues(database, tenantId, revision, values),
    noteBlock: (tenantId, revision) => noteTenantBlock(database, tenantId, revision),
    noteMark: (tenantId, revision) => noteTenantMark(database, tenantId, revision),
    claimPendingSyncs: (limit, now) => claimPendingSyncs(database, limit, now),
    resetPeriod: (change, since, actor) => resetTenantPeriod(database, change, since, actor),
    claimEndedPeriods: (limit, now) => claimEndedPeriods(database, limit, now),
    findUnannounced: (before, limit) => findUnannounced(database, before, limit),
    notePeriodAnnounced: (tenantId, startedAt) => notePeriodAnnounced(database, tenantId, startedAt),
    ping: async () => {
      await runStatement(database, sql`select 1`);
    },
  };
}

/** One query for both answers: an unknown key needs `mayBeInTeam`. */
async function findByKey(
  database: Database,
  keyHash: KeyHash,
): Promise<{ tenant: TenantRecord | null; mayBeInTeam: boolean }> {
  const [row] = await runStatement(
    database,
    sql`select teams.exist as teams_exist, tenant.*
      from (select exists (select from tenant_configs where subject_kind = 'team' and deleted_at is null) as exist) teams
      left join (${selectTenants()} join tenant_keys k on k.tenant_id = t.tenant_id
        where k.key_hash = ${keyHash} and t.deleted_at is null and k.blocked_at is null) tenant on true`,
  );
  const isKnown = row !== undefined && row["tenant_id"] !== null;
  return { tenant: isKnown ? tenantFromRow(row) : null, mayBeInTeam: row?.["teams_exist"] === true };
}
