// The Channels port on Postgres. Every change is one statement that changes and audits; the audit never holds a target,
// encrypted or not. A channel of a tenant that is marked as deleted is invisible.

import { and, desc, eq, isNotNull, notExists, type SQL, sql } from "drizzle-orm";
import type { NeonHttpDatabase } from "drizzle-orm/neon-http";
import type { Channels } from "../../../ports/notice-stores.ts";
import { failure, type Result, success } from "../../../ports/result.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { ChannelChange, ChannelId, ChannelRecord, NewChannel } from "../../../records/channel.ts";
import type { Actor } from "../../../records/tenant.ts";
import { creationSource, sourceIdOf, withReason } from "../audit/audit-insert.ts";
import { createOnce, makeChange } from "../audit/make-change.ts";
import { type Database, runQuery, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";
import { comesAfter, pageOf } from "../page.ts";
import { notificationChannels as channels } from "../schema/notice-tables.ts";
import { tenantConfigs } from "../schema/tables.ts";
import { isOneOfVersions } from "../settings-version.ts";
import { channelFromRow } from "./channel-rows.ts";

export function postgresChannels(database: Database): Channels {
  return {
    load: async (channelId) => firstChannel(await runQuery(database, selectChannel(channelId))),
    async list({ tenantId, before, limit }) {
      const ofTenant = tenantId === null ? undefined : eq(channels.tenantId, tenantId);
      const rows = await runQuery(database, (db) =>
        db
          .select()
          .from(channels)
          .where(and(comesAfter(before, channels.createdAt, channels.id), isOfLivingTenant(db), ofTenant))
          .orderBy(desc(channels.createdAt), channels.id)
          .limit(limit + 1),
      );
      return pageOf(rows.map(channelFromRow), limit, ({ createdAt, id }) => ({ at: createdAt, id }));
    },
    create: (channel, actor) => createChannel(database, channel, actor),
    change: (channelId, change, actor) => changeChannel(database, channelId, change, actor),
    async noteSent({ id, encryptedTarget }) {
      await runStatement(
        database,
        sql`update notification_channels set last_error = null, last_error_at = null, broken_since = null
          where id = ${id}::uuid and sealed_target = ${encryptedTarget} and broken_since is not null`,
      );
    },
    remove: (channelId, actor) => removeChannel(database, channelId, actor),
  };
}

function isOfLivingTenant(db: NeonHttpDatabase): SQL {
  const deleted = and(eq(tenantConfigs.tenantId, channels.tenantId), isNotNull(tenantConfigs.deletedAt));
  return notExists(db.select({ one: sql`1` }).from(tenantConfigs).where(deleted));
}

const selectChannel = (channelId: ChannelId | SQL, where?: SQL) => (db: NeonHttpDatabase) =>
  db
    .select()
    .from(channels)
    .where(and(eq(channels.id, channelId), isOfLivingTenant(db), where));

const firstChannel = ([row]: (typeof channels.$inferSelect)[]) => (row === undefined ? null : channelFromRow(row));

async function createChannel(
  database: Database,
  channel: NewChannel,
  actor: Actor,
): Promise<Result<ChannelRecord, "tenant_not_found" | "other_body">> {
  const now = timestampOf(actor.now);
  const { tenantId } = channel;
  const isThere =
    tenantId === null
      ? sql`true`
      : sql`exists (select from tenant_configs where tenant_id = ${tenantId} and deleted_at is null)`;
  const after = sql`insert into notification_channels
      (id, tenant_id, kind, name, sealed_target, target_hint, enabled, events, min_severity, created_at, updated_at)
    select gen_random_uuid(), ${tenantId}::text, ${channel.kind}, ${channel.name}, ${channel.encryptedTarget},
      ${channel.targetHint}, ${channel.enabled}, ${textArray(channel.events)}, ${channel.minSeverity}, ${now}, ${now} where ${isThere} returning *`;
  const line = sql`select a.tenant_id, null::jsonb, ${publicChannel("a")},
    ${withReason(sql`null::jsonb`, actor.reason)} from after a`;
  const source = creationSource(actor, "channel_created");
  const created = await createOnce(
    database,
    source,
    {
      statements: [sql`with after as (${after}) ${auditInsert("channel_created", source, actor, line)}`],
      outcome: selectChannel(sql`(select (after ->> 'id')::uuid from audit_log where source_id = ${source.sourceId})`),
      read: firstChannel,
    },
    actor.now,
  );
  if (!created.ok) return created;
  return created.value === null ? failure("tenant_not_found") : success(created.value);
}

/** A change to the present values writes nothing. An encrypted target always differs: no two encryptions are alike. */
function changeChannel(
  database: Database,
  channelId: ChannelId,
  change: ChannelChange,
  actor: Actor,
): Promise<ChannelRecord | null> {
  const asked = sql`coalesce(${change.name ?? null}::text, b.name),
    coalesce(${change.encryptedTarget ?? null}::text, b.sealed_target),
    coalesce(${change.targetHint ?? null}::text, b.target_hint), coalesce(${change.enabled ?? null}::boolean, b.enabled),
    ${change.events === undefined ? sql`b.events` : textArray(change.events)},
    coalesce(${change.minSeverity ?? null}::text, b.min_severity)`;
  // Only an attempt shows whether a new target works.
  const isMended = change.encryptedTarget !== undefined;
  const ofError = sql.raw(
    isMended ? "null, null::timestamptz, null::timestamptz" : "b.last_error, b.last_error_at, b.broken_since",
  );
  const after = sql`update notification_channels c
    set (name, sealed_target, target_hint, enabled, events, min_severity, last_error, last_error_at, broken_since,
      updated_at, version) = (select ${asked}, ${ofError}, ${timestampOf(actor.now)}, b.version + 1)
    from before b where c.id = b.id
      and (${asked}) is distinct from (b.name, b.sealed_target, b.target_hint, b.enabled, b.events, b.min_severity)
    returning c.*`;
  const line = sql`select a.tenant_id, ${publicChannel("b")}, ${publicChannel("a")},
    ${withReason(sql`case when a.sealed_target <> b.sealed_target then jsonb_build_object('target_changed', true) end`, actor.reason)}
    from after a join before b on b.id = a.id`;
  const sourceId = sourceIdOf(actor.operation, "channel_changed");
  return makeChange(database, {
    statements: [
      sql`with before as (${lockChannel(channelId, actor)}), after as (${after})
        ${auditInsert("channel_changed", { sourceId }, actor, line)}`,
    ],
    outcome: selectChannel(
      channelId,
      sql`(${isOneOfVersions(sql`${channels.version}`, actor.operation.ifVersion)}
        or exists (select from audit_log where source_id = ${sourceId}))`,
    ),
    read: firstChannel,
  });
}

/** Its deliveries are deleted with it. */
async function removeChannel(database: Database, channelId: ChannelId, actor: Actor): Promise<boolean> {
  const line = sql`select b.tenant_id, ${publicChannel("b")}, null::jsonb,
    ${withReason(sql`null::jsonb`, actor.reason)} from gone b`;
  const sourceId = sourceIdOf(actor.operation, "channel_deleted");
  const removed = await makeChange(database, {
    statements: [
      sql`with before as (${lockChannel(channelId, actor)}),
        gone as (delete from notification_channels c using before b where c.id = b.id returning c.*)
        ${auditInsert("channel_deleted", { sourceId }, actor, line)}`,
    ],
    outcome: (db) => db.execute(sql`select from audit_log where source_id = ${sourceId}`),
    read: ({ rows }) => (rows.length > 0 ? true : null),
  });
  return removed === true;
}

function lockChannel(channelId: ChannelId, { operation }: Actor): SQL {
  return sql`select c.* from notification_channels c
    where c.id = ${channelId}::uuid and not exists (select from tenant_configs t
      where t.tenant_id = c.tenant_id and t.deleted_at is not null)
      and ${isOneOfVersions(sql.raw("c.version"), operation.ifVersion)}
    for update of c`;
}

/** As JSON, because the driver has no arrays. Null stays null. */
function textArray(words: readonly string[] | null): SQL {
  return sql`(select array_agg(word) from jsonb_array_elements_text(${jsonbText(words ?? [])}::jsonb) word)`;
}

/** `line` selects tenant_id, before, after and detail; without a row the statement changes and audits nothing. */
function auditInsert(
  action: AuditAction,
  { sourceId, requestHash = null }: { sourceId: string; requestHash?: string | null },
  { name, requestId, now }: Actor,
  line: SQL,
): SQL {
  return sql`insert into audit_log
      (at, actor, action, request_id, source_id, request_hash, tenant_id, before, after, detail)
    select ${timestampOf(now)}, ${name}, ${action}, ${requestId}, ${sourceId}, ${requestHash}, line.*
    from (${line}) line`;
}

/** Names each column, so that a new secret column never reaches the audit by itself. */
function publicChannel(alias: "a" | "b"): SQL {
  return sql.raw(`jsonb_build_object('id', ${alias}.id, 'tenant_id', ${alias}.tenant_id, 'kind', ${alias}.kind,
    'name', ${alias}.name, 'target_hint', ${alias}.target_hint, 'enabled', ${alias}.enabled,
    'events', ${alias}.events, 'min_severity', ${alias}.min_severity)`);
}
