// The Overrides port on Postgres. A grant, a revocation and an expiry are each one statement that locks the tenant,
// changes and audits. Every statement locks the tenant before its overrides. Calls nothing but Postgres.

import { and, desc, eq, gt, isNull, lte, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Instant } from "../../../budget/instant.ts";
import { decimalFromNanoUsd } from "../../../budget/money.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import { failure, type Result, success } from "../../../ports/result.ts";
import type { Overrides } from "../../../ports/stores.ts";
import type { ChangedOverride, NewOverride, OverrideKey, OverrideRecord } from "../../../records/override.ts";
import type { Actor, OnTenantFault } from "../../../records/tenant.ts";
import { auditInsert, creationSource, lineOf } from "../audit/audit-insert.ts";
import { type Change, createOnce, makeChange } from "../audit/make-change.ts";
import { type Database, type Row, runQuery, runStatement } from "../client.ts";
import { isoText, timestampOf } from "../instants.ts";
import { comesAfter, isWithin, pageOf } from "../page.ts";
import { readEachTenant } from "../read-each.ts";
import { budgetOverrides, tenantConfigs } from "../schema/tables.ts";
import { isChangedOrAccepted, NEXT_REVISION, NEXT_VERSION } from "../settings-version.ts";
import { overrideColumn, overrideFromRow } from "./override-rows.ts";
import { lockTenant, pendingSync, updatedAt } from "./tenant-changes.ts";
import { selectTenants, tenantFromRow } from "./tenant-rows.ts";

/** `overrideColumn` reads the table by this alias. */
const o = alias(budgetOverrides, "o");

export function postgresOverrides(database: Database): Overrides {
  return {
    grant: (override, actor) => grantOverride(database, override, actor),
    revoke: (key, actor) => revokeOverride(database, key, actor),
    async load({ tenantId, overrideId }) {
      const [row] = await runQuery(database, (db) =>
        db
          .select({ override: overrideColumn })
          .from(o)
          .where(and(eq(o.tenantId, tenantId), eq(o.id, overrideId))),
      );
      return row === undefined ? null : fromRow(row);
    },
    async list({ tenantId, before, limit, ...range }) {
      const rows = await runQuery(database, (db) =>
        db
          .select({ override: overrideColumn })
          .from(o)
          .where(and(eq(o.tenantId, tenantId), comesAfter(before, o.createdAt, o.id), isWithin(range, o.createdAt)))
          .orderBy(desc(o.createdAt), o.id)
          .limit(limit + 1),
      );
      return pageOf(rows.map(fromRow), limit, ({ createdAt, id }) => ({ at: createdAt, id }));
    },
    recordEnds: (limit, now, onFault) => noteEnds(database, limit, now, onFault),
    async listEnding({ after, until }, limit, onFault) {
      const isEnding = and(isNull(o.endNotedAt), gt(o.expiresAt, new Date(after)), lte(o.expiresAt, new Date(until)));
      const isEnforced = and(isNull(tenantConfigs.deletedAt), eq(tenantConfigs.enforcement, "enforce"));
      const rows = await runQuery(database, (db) =>
        db
          .select({ tenant_id: o.tenantId, override: overrideColumn })
          .from(o)
          .innerJoin(tenantConfigs, eq(tenantConfigs.tenantId, o.tenantId))
          .where(and(isEnding, isEnforced))
          .orderBy(o.expiresAt)
          .limit(limit),
      );
      return readEachTenant(rows, fromRow, onFault);
    },
  };
}

const fromRow = ({ override }: { override?: unknown }): OverrideRecord => overrideFromRow(override);

async function grantOverride(
  database: Database,
  override: NewOverride,
  actor: Actor,
): Promise<Result<ChangedOverride, "not_found" | "other_body">> {
  const { id, tenantId, amountNanoUsd, expiresAt, reason } = override;
  const granted = sql`insert into budget_overrides
      (id, tenant_id, override_amount, expires_at, reason, created_by, created_at)
    select ${id}::uuid, tenant_id, ${decimalFromNanoUsd(amountNanoUsd)}::numeric, ${timestampOf(expiresAt)},
      ${reason}, ${actor.name}, ${timestampOf(actor.now)}
    from before returning *`;
  const line = { ...lineOf(actor, "override_granted"), ...creationSource(actor, "override_granted") };
  // The id is that of an earlier request with the same idempotency key, if there was one.
  const isOfLine = sql`(l.detail ->> 'override_id')::uuid`;
  const made = await createOnce(database, line, change(tenantId, granted, isOfLine, line, actor), actor.now);
  if (!made.ok) return made;
  return made.value === null ? failure("not_found") : success(made.value);
}

function revokeOverride(
  database: Database,
  { tenantId, overrideId }: OverrideKey,
  actor: Actor,
): Promise<ChangedOverride | null> {
  const at = timestampOf(actor.now);
  const revoked = sql`update budget_overrides o set revoked_at = ${at}, revoked_by = ${actor.name}, end_noted_at = ${at}
    from before
    where o.id = ${overrideId}::uuid and o.tenant_id = before.tenant_id and o.end_noted_at is null
      and o.expires_at > ${at} returning o.*`;
  const line = lineOf(actor, "override_revoked");
  return makeChange(database, change(tenantId, revoked, sql`${overrideId}::uuid`, line, actor));
}

/** `changed` changes one override of the locked tenant in `before`, or none. `id` is its id; `l` is the line. */
function change(
  tenantId: TenantId,
  changed: SQL,
  id: SQL,
  line: ReturnType<typeof lineOf>,
  actor: Actor,
): Change<{ rows: Row[] }, ChangedOverride> {
  return {
    statements: [
      sql`with before as (${lockTenant(tenantId, actor)}), changed as (${changed}), ${withAudit(line, actor, NEXT_VERSION)} select from before`,
    ],
    // A statement that waited for the lock does not see changes made meanwhile. The next statement does.
    outcome: (db) =>
      db.execute(sql`select tenant.*, ${overrideColumn} as override, l.id is not null as has_changed
        from (${selectTenants()} where t.tenant_id = ${tenantId} and t.deleted_at is null
          and ${isChangedOrAccepted(actor, line)}) tenant
        left join audit_log l on l.source_id = ${line.sourceId}
        join budget_overrides o on o.tenant_id = tenant.tenant_id and o.id = ${id}`),
    read: ({ rows: [row] }) =>
      row === undefined
        ? null
        : { tenant: tenantFromRow(row), override: fromRow(row), hasChanged: row["has_changed"] === true },
  };
}

/** For each tenant of an override in `changed`: a new revision, a pending sync, and a line in the audit. */
function withAudit(
  line: Omit<Parameters<typeof auditInsert>[0], "detail">,
  { now }: Pick<Actor, "now">,
  version: SQL = NEXT_REVISION,
): SQL {
  const detail = { from: sql`changed`, value: CHANGED_OVERRIDE };
  return sql`after as (update tenant_configs t
      set ${version}, ${updatedAt(now)}, ${pendingSync(sql`t.enforcement = 'enforce'`, { now })}
      where t.tenant_id in (select tenant_id from changed) returning t.*),
    audit as (${auditInsert({ ...line, detail })})`;
}

const CHANGED_OVERRIDE = sql.raw(`jsonb_build_object('override_id', d.id,
  'override_amount', trim_scale(d.override_amount), 'expires_at', ${isoText("d.expires_at")}, 'reason', d.reason,
  'granted_by', d.created_by)`);

/** Skips tenants that another statement has locked; the next sweep records them. */
async function noteEnds(
  database: Database,
  limit: number,
  now: Instant,
  onFault?: OnTenantFault,
): Promise<OverrideRecord[]> {
  const at = timestampOf(now);
  const isOver = sql`o.end_noted_at is null and o.expires_at <= ${at}`;
  const line = { action: "override_ended", actor: "bursar", requestId: null, at: now } as const;
  const rows = await runStatement(
    database,
    sql`with before as (select * from tenant_configs where deleted_at is null and tenant_id in (
        select o.tenant_id from budget_overrides o join tenant_configs t using (tenant_id)
        where ${isOver} and t.deleted_at is null order by o.expires_at limit ${limit})
      for no key update skip locked),
    changed as (update budget_overrides o set end_noted_at = ${at} from before
      where o.tenant_id = before.tenant_id and ${isOver} returning o.*),
    ${withAudit({ ...line, before: sql`before`, after: sql`after` }, { now })}
    select o.tenant_id, ${overrideColumn} as override from changed o order by o.expires_at, o.id`,
  );
  return readEachTenant(rows, fromRow, onFault);
}
