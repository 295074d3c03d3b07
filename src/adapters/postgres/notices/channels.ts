// The Channels port on Postgres. Every change is one statement that changes and audits; the audit never holds a target,
// encrypted or not. A channel of a tenant that is marked as deleted is invisible.

import { and, desc, eq, getTableColumns, isNotNull, notExists, type SQL, sql } from "drizzle-orm";
import type { NeonHttpDatabase } from "drizzle-orm/neon-http";
import { failure, type Result, success } from "../../../ports/result.ts";
import type { Channels } from "../../../ports/stores.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { ChannelChange, ChannelId, ChannelRecord, NewChannel } from "../../../records/channel.ts";
import type { Actor } from "../../../records/tenant.ts";
import { type Database, runQuery, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { comesAfter, pageOf } from "../page.ts";
import { notificationChannels as channels, tenantConfigs } from "../schema/tables.ts";
import { channelFromRow } from "./channel-rows.ts";

export function postgresChannels(database: Database): Channels {
  return {
    async load(channelId) {
      const [row] = await runQuery(database, (db) =>
        db
          .select()
          .from(channels)
          .where(and(eq(channels.id, channelId), isOfLivingTenant(db))),
      );
      return row === undefined ? null : channelFromRow(row);
    },
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
    remove: (channelId, actor) => removeChannel(database, channelId, actor),
  };
}

function isOfLivingTenant(db: NeonHttpDatabase): SQL {
  const deleted = and(eq(tenantConfigs.tenantId, channels.tenantId), isNotNull(tenantConfigs.deletedAt));
  return notExists(db.select({ one: sql`1` }).from(tenantConfigs).where(deleted));
}

async function createChannel(
  database: Database,
  channel: NewChannel,
  actor: Actor,
): Promise<Result<ChannelRecord, "tenant_not_found">> {
  const now = timestampOf(actor.now);
  const { tenantId } = channel;
  const isThere =
    tenantId === null
      ? sql`true`
      : sql`exists (select from tenant_configs where tenant_id = ${tenantId} and deleted_at is null)`;
  const after = sql`insert into notification_channels
      (id, tenant_id, kind, name, sealed_target, target_hint, enabled, created_at, updated_at)
    select gen_random_uuid(), ${tenantId}::text, ${channel.kind}, ${channel.name}, ${channel.encryptedTarget},
      ${channel.targetHint}, ${channel.enabled}, ${now}, ${now} where ${isThere} returning *`;
  const line = sql`select a.tenant_id, null::jsonb, ${publicChannel("a")}, null::jsonb from after a`;
  const [row] = await runQuery(database, (db) => {
    const created = db.$with("after", getTableColumns(channels)).as(after);
    const audit = db.$with("audit", {}).as(auditInsert("channel_created", actor, line));
    return db.with(created, audit).select().from(created);
  });
  return row === undefined ? failure("tenant_not_found") : success(channelFromRow(row));
}

/** A change to the present values writes nothing. An encrypted target always differs: no two encryptions are alike. */
async function changeChannel(
  database: Database,
  channelId: ChannelId,
  change: ChannelChange,
  actor: Actor,
): Promise<ChannelRecord | null> {
  const asked = sql`coalesce(${change.name ?? null}::text, b.name),
    coalesce(${change.encryptedTarget ?? null}::text, b.sealed_target),
    coalesce(${change.targetHint ?? null}::text, b.target_hint), coalesce(${change.enabled ?? null}::boolean, b.enabled)`;
  const after = sql`update notification_channels c
    set (name, sealed_target, target_hint, enabled, updated_at) = (select ${asked}, ${timestampOf(actor.now)})
    from before b where c.id = b.id and (${asked}) is distinct from (b.name, b.sealed_target, b.target_hint, b.enabled)
    returning c.*`;
  const line = sql`select a.tenant_id, ${publicChannel("b")}, ${publicChannel("a")},
    case when a.sealed_target <> b.sealed_target then jsonb_build_object('target_changed', true) end
    from after a join before b on b.id = a.id`;
  const [row] = await runQuery(database, (db) => {
    const result = db
      .$with("result", getTableColumns(channels))
      .as(sql`select * from after union all select * from before where not exists (select from after)`);
    return db
      .with(
        db.$with("before", {}).as(lockChannel(channelId)),
        db.$with("after", {}).as(after),
        db.$with("audit", {}).as(auditInsert("channel_changed", actor, line)),
        result,
      )
      .select()
      .from(result);
  });
  return row === undefined ? null : channelFromRow(row);
}

/** Its deliveries are deleted with it. */
async function removeChannel(database: Database, channelId: ChannelId, actor: Actor): Promise<boolean> {
  const line = sql`select b.tenant_id, ${publicChannel("b")}, null::jsonb, null::jsonb from gone b`;
  const rows = await runStatement(
    database,
    sql`with before as (${lockChannel(channelId)}),
    gone as (delete from notification_channels c using before b where c.id = b.id returning c.*),
    audit as (${auditInsert("channel_deleted", actor, line)})
    select 1 from gone`,
  );
  return rows.length > 0;
}

function lockChannel(channelId: ChannelId): SQL {
  return sql`select c.* from notification_channels c
    where c.id = ${channelId}::uuid and not exists (select from tenant_configs t
      where t.tenant_id = c.tenant_id and t.deleted_at is not null)
    for update of c`;
}

/** `line` selects tenant_id, before, after and detail; without a row the statement changes and audits nothing. */
function auditInsert(action: AuditAction, { name, requestId, now }: Actor, line: SQL): SQL {
  return sql`insert into audit_log (at, actor, action, request_id, tenant_id, before, after, detail)
    select ${timestampOf(now)}, ${name}, ${action}, ${requestId}, line.* from (${line}) line`;
}

/** Names each column, so that a new secret column never reaches the audit by itself. */
function publicChannel(alias: "a" | "b"): SQL {
  return sql.raw(`jsonb_build_object('id', ${alias}.id, 'tenant_id', ${alias}.tenant_id, 'kind', ${alias}.kind,
    'name', ${alias}.name, 'target_hint', ${alias}.target_hint, 'enabled', ${alias}.enabled)`);
}
