// The version of a tenant's settings: which versions a change accepts, and that it makes a new one. Part of the
// statement that locks the tenant, so that of two changes that accept the same version one is made.

import { type SQL, sql } from "drizzle-orm";
import type { Actor } from "../../records/tenant.ts";

/** Of a change that the edge must hear of. */
export const NEXT_REVISION = sql.raw("revision = nextval('config_revision')");

export const NEXT_SETTINGS_VERSION = sql.raw("settings_version = t.settings_version + 1");

/** Of a change by an administrator. */
export const NEXT_VERSION = sql`${NEXT_REVISION}, ${NEXT_SETTINGS_VERSION}`;

export const acceptsVersion = (
  actor: Pick<Actor, "operation"> | undefined,
  version = sql.raw("settings_version"),
): SQL => isOneOfVersions(version, actor?.operation.ifVersion);

export function isOneOfVersions(version: SQL, accepted: readonly number[] | undefined): SQL {
  return accepted === undefined
    ? sql`true`
    : sql`${version} in (select jsonb_array_elements(${JSON.stringify(accepted)}::jsonb)::int)`;
}

/**
 * For the tenant `t` in the outcome of a change: the operation has changed it, or there was nothing to change in a
 * version that the caller accepts.
 */
export function isChangedOrAccepted(actor: Actor, { sourceId }: { readonly sourceId: string }): SQL {
  return sql`(${acceptsVersion(actor, sql.raw("t.settings_version"))}
    or exists (select from audit_log l where l.source_id = ${sourceId}))`;
}
