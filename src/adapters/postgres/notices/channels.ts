// The Channels port on Postgres. Every change is one statement that changes and audits; the audit never has a target,
// sealed or not. A channel of a tenant that is marked as deleted is gone for everybody.

import { type SQL, sql } from "drizzle-orm";
import { failure, type Result, success } from "../../../ports/result.ts";
import type { Channels } from "../../../ports/stores.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { ChannelChange, ChannelId, ChannelRecord, NewChannel } from "../../../records/channel.ts";
import type { Actor } from "../../../records/tenant.ts";
import { type Database, type Row, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { comesAfter, pageOf } from "../page.ts";
import { channelColumn, channelFromRow } from "./channel-rows.ts";

export function postgresChannels(database: Database): Channels {
  return {
    async load(channelId) {
      return firstChannel(
        await runStatement(
          database,
          sql`select ${channelColumn} as channel from notification_channels c where c.id = ${channelId}::uuid and ${IS_LIVING}`,
        ),
      );
    },
    async list({ tenantId, before, limit }) {
      const ofTenant = tenantId === null ? sql`` : sql`and c.tenant_id = ${tenantId}`;
      const rows = await runStatement(
        database,
        sql`select ${channelColumn} as channel from notification_channels c
          where ${comesAfter(before, "c")} and ${IS_LIVING} ${ofTenant}
          order by c.created_at desc, c.id limit ${limit + 1}`,
      );
      const channels = rows.map(({ channel }) => channelFromRow(channel));
      return pageOf(channels, limit, ({ createdAt, id }) => ({ at: createdAt, id }));
    },
    create: (channel, actor) => createChannel(database, channel, actor),
    change: (channelId, change, actor) => changeChannel(database, channelId, change, actor),
    remove: (channelId, actor) => removeChannel(database, channelId, actor),
  };
}

const IS_LIVING = sql`not exists (select from tenant_configs t
  where t.tenant_id = c.tenant_id and t.deleted_at is not null)`;

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
  const rows = await runStatement(
    database,
    sql`with after as (insert into notification_channels
        (id, tenant_id, kind, name, sealed_target, target_hint, enabled, created_at, updated_at)
      select gen_random_uuid(), ${tenantId}::text, ${channel.kind}, ${channel.name}, ${channel.encryptedTarget},
        ${channel.targetHint}, ${channel.enabled}, ${now}, ${now} where ${isThere} returning *),
    audit as (${auditInsert("channel_created", actor, sql`select a.tenant_id, null::jsonb, ${publicChannel("a")}, null::jsonb from after a`)})
    select ${channelColumn} as channel from after c`,
  );
  const created = firstChannel(rows);
  return created === null ? failure("tenant_not_found") : success(created);
}

/** What is asked for and already so is no change. A sealed target always is one: no seal is like another. */
async function changeChannel(
  database: Database,
  channelId: ChannelId,
  change: ChannelChange,
  actor: Actor,
): Promise<ChannelRecord | null> {
  const asked = sql`coalesce(${change.name ?? null}::text, b.name),
    coalesce(${change.encryptedTarget ?? null}::text, b.sealed_target),
    coalesce(${change.targetHint ?? null}::text, b.target_hint), coalesce(${change.enabled ?? null}::boolean, b.enabled)`;
  const changedLine = sql`select a.tenant_id, ${publicChannel("b")}, ${publicChannel("a")},
    case when a.sealed_target <> b.sealed_target then jsonb_build_object('target_changed', true) end
    from after a join before b on b.id = a.id`;
  const rows = await runStatement(
    database,
    sql`with before as (${lockChannel(channelId)}),
    after as (update notification_channels c
      set (name, sealed_target, target_hint, enabled, updated_at) = (select ${asked}, ${timestampOf(actor.now)})
      from before b where c.id = b.id and (${asked}) is distinct from (b.name, b.sealed_target, b.target_hint, b.enabled)
      returning c.*),
    audit as (${auditInsert("channel_changed", actor, changedLine)})
    select ${channelColumn} as channel
    from (select * from after union all select * from before where not exists (select from after)) c`,
  );
  return firstChannel(rows);
}

/** Its deliveries go with it. */
async function removeChannel(database: Database, channelId: ChannelId, actor: Actor): Promise<boolean> {
  const rows = await runStatement(
    database,
    sql`with before as (${lockChannel(channelId)}),
    gone as (delete from notification_channels c using before b where c.id = b.id returning c.*),
    audit as (${auditInsert("channel_deleted", actor, sql`select b.tenant_id, ${publicChannel("b")}, null::jsonb, null::jsonb from gone b`)})
    select 1 from gone`,
  );
  return rows.length > 0;
}

function lockChannel(channelId: ChannelId): SQL {
  return sql`select c.* from notification_channels c where c.id = ${channelId}::uuid and ${IS_LIVING} for update of c`;
}

/** `line` selects tenant_id, before, after and detail; without a row nothing has changed and nothing is written. */
function auditInsert(action: AuditAction, { name, requestId, now }: Actor, line: SQL): SQL {
  return sql`insert into audit_log (at, actor, action, request_id, tenant_id, before, after, detail)
    select ${timestampOf(now)}, ${name}, ${action}, ${requestId}, line.* from (${line}) line`;
}

/** Columns are named one by one, so that no secret slips in with a new one. */
function publicChannel(alias: "a" | "b"): SQL {
  return sql.raw(`jsonb_build_object('id', ${alias}.id, 'tenant_id', ${alias}.tenant_id, 'kind', ${alias}.kind,
    'name', ${alias}.name, 'target_hint', ${alias}.target_hint, 'enabled', ${alias}.enabled)`);
}

function firstChannel(rows: readonly Row[]): ChannelRecord | null {
  const [row] = rows;
  return row === undefined ? null : channelFromRow(row["channel"]);
}
