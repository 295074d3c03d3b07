// The line that a change writes to the audit, in the same statement. Inserts only.

import { type SQL, sql } from "drizzle-orm";
import type { Instant } from "../../../budget/instant.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { Actor } from "../../../records/tenant.ts";
import { isoText, timestampOf } from "../instants.ts";

export interface AuditLine {
  readonly action: AuditAction;
  readonly actor: string;
  readonly requestId: string | null;
  /** Of the operation; absent for a change that does no harm when it is sent again. */
  readonly sourceId?: string;
  readonly requestHash?: string | null;
  /** The caller's words; absent without any. */
  readonly reason?: string | undefined;
  /** Null: the moment of the statement. */
  readonly at: Instant | null;
  /** The relation that holds the tenant's row before the change; null for a new tenant. */
  readonly before: SQL | null;
  /** The relation that holds it afterwards. Without a row nothing has changed, and the statement inserts no line. */
  readonly after: SQL;
  /** Further detail of the line: `value` uses the columns of `d`, the row of `from` with the same tenant. */
  readonly detail?: { readonly from: SQL; readonly value: SQL };
}

/** An administrator's line, between the relations `before` and `after`. */
export function lineOf(actor: Actor, action: AuditAction): AuditLine & { readonly sourceId: string } {
  const { name, requestId, now, reason } = actor;
  const sourceId = sourceIdOf(actor.operation, action);
  return { action, actor: name, requestId, at: now, before: sql`before`, after: sql`after`, sourceId, reason };
}

/** One operation may make several changes, but not two of one kind. */
export function sourceIdOf({ id }: { readonly id: string }, action: AuditAction): string {
  return `operation/${id}/${action}`;
}

/** What identifies the line of a creation, for `createOnce`. */
export interface CreationSource {
  readonly sourceId: string;
  readonly requestHash: string | null;
}

export function creationSource({ operation }: Actor, action: AuditAction): CreationSource {
  const { idempotency } = operation;
  return { sourceId: sourceIdOf(idempotency ?? operation, action), requestHash: idempotency?.bodyHash ?? null };
}

/** The insert of one line, for use as a CTE beside the change. */
export function auditInsert(line: AuditLine): SQL {
  const at = line.at === null ? sql`now()` : timestampOf(line.at);
  const before = line.before === null ? sql`null::jsonb` : publicTenant("b");
  const join = line.before === null ? sql`` : sql`join ${line.before} b on b.tenant_id = a.tenant_id`;
  const { detail } = line;
  const detailJoin = detail === undefined ? sql`` : sql`join ${detail.from} d on d.tenant_id = a.tenant_id`;
  return sql`insert into audit_log (at, actor, action, tenant_id, request_id, source_id, request_hash, before, after, detail)
    select ${at}, ${line.actor}, ${line.action}, a.tenant_id, ${line.requestId}, ${line.sourceId ?? null}, ${line.requestHash ?? null},
      ${before}, ${publicTenant("a")}, ${withReason(detail?.value ?? sql`null::jsonb`, line.reason)}
    from ${line.after} a ${join} ${detailJoin}`;
}

/** Beside what the detail says already: an override's own reason gives way to that of its revocation. */
export function withReason(detail: SQL, reason: string | undefined): SQL {
  return reason === undefined
    ? detail
    : sql`coalesce(${detail}, '{}') || jsonb_build_object('reason', ${reason}::text)`;
}

/**
 * A tenant's row with the names of the admin API. Names each column, so that a new secret column never reaches the
 * audit by itself.
 */
function publicTenant(alias: "a" | "b"): SQL {
  const iso = (column: string) => isoText(`${alias}.${column}`);
  return sql.raw(`jsonb_build_object('tenant_id', ${alias}.tenant_id, 'name', ${alias}.name,
    'subject', jsonb_build_object('kind', ${alias}.subject_kind, 'id', ${alias}.subject_id),
    'max_budget', trim_scale(${alias}.max_budget), 'alert_threshold', trim_scale(${alias}.alert_threshold),
    'grace_threshold', trim_scale(${alias}.grace_threshold), 'budget_duration', ${alias}.budget_duration,
    'enforcement', ${alias}.enforcement, 'fail_policy', ${alias}.fail_policy,
    'refusal', ${alias}.refusal, 'metadata', ${alias}.metadata, 'adopted', ${alias}.adopted,
    'config_version', ${alias}.settings_version, 'suspended_at', ${iso("suspended_at")},
    'subject_missing_at', ${iso("subject_missing_at")}, 'litellm_blocked_at', ${iso("litellm_blocked_at")},
    'period_started_at', coalesce(${iso("litellm_key_last_reset")}, ${iso("subject_created_at")}),
    'resets_at', ${iso("budget_reset_at")}, 'deleted_at', ${iso("deleted_at")})`);
}
