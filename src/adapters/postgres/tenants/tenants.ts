// The Tenants port on Postgres: its readers, and the list of all its verbs. Tenants marked as deleted are invisible,
// except to the readers of their history and those that finish the deletion in LiteLLM.

import { type SQL, sql } from "drizzle-orm";
import type { Tenants } from "../../../ports/stores.ts";
import { type Database, runStatement } from "../client.ts";
import { changeTenant, setTenantSuspended } from "./tenant-changes.ts";
import { createTenant, replaceUnshownKey } from "./tenant-creation.ts";
import { markTenantDeleted, recordRelease, removeTenant, restoreTenant } from "./tenant-deletion.ts";
import { listTenants } from "./tenant-list.ts";
import { claimEndedPeriods, resetTenantPeriod } from "./tenant-periods.ts";
import { firstTenant, selectTenants } from "./tenant-rows.ts";
import {
  claimPendingSyncs,
  noteSubject,
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
    findByKey: (keyHash) =>
      first(sql`t.deleted_at is null and t.tenant_id in
        (select tenant_id from tenant_keys where key_hash = ${keyHash} and blocked_at is null)`),
    list: (query) => listTenants(database, query),
    create: (tenant, actor) => createTenant(database, tenant, actor),
    replaceUnshownKey: (tenantId, key, made, actor) => replaceUnshownKey(database, tenantId, key, made, actor),
    change: (tenantId, change, actor) => changeTenant(database, tenantId, change, actor),
    setSuspended: (tenantId, isSuspended, actor) => setTenantSuspended(database, tenantId, isSuspended, actor),
    markDeleted: (tenantId, actor) => markTenantDeleted(database, tenantId, actor),
    recordRelease: (tenantId, revision, now) => recordRelease(database, tenantId, revision, now),
    restore: (tenantId, key, actor) => restoreTenant(database, tenantId, key, actor),
    remove: (tenantId) => removeTenant(database, tenantId),
    recordSync: (tenantId, revision, outcome) => recordTenantSync(database, tenantId, revision, outcome),
    recordPriorValues: (tenantId, revision, values) => recordPriorValues(database, tenantId, revision, values),
    noteBlock: (tenantId, revision) => noteTenantBlock(database, tenantId, revision),
    noteMark: (tenantId, revision) => noteTenantMark(database, tenantId, revision),
    claimPendingSyncs: (limit, now) => claimPendingSyncs(database, limit, now),
    resetPeriod: (change, since, actor) => resetTenantPeriod(database, change, since, actor),
    claimEndedPeriods: (limit, now) => claimEndedPeriods(database, limit, now),
    noteSubject: (subject, finding, now) => noteSubject(database, subject, finding, now),
    ping: async () => {
      await runStatement(database, sql`select 1`);
    },
  };
}
