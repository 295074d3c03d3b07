// The tables whose rows outlive their tenants: the audit and the dead letters. Holds no queries.

import { sql } from "drizzle-orm";
import { bigint, index, integer, jsonb, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import { instant, newestFirst, notNegative } from "./columns.ts";

/** `tenant_id` is no foreign key on purpose: the trail outlives the tenant. */
export const auditLog = pgTable(
  "audit_log",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: instant("at").notNull().defaultNow(),
    actor: text("actor").notNull(),
    action: text("action").notNull(),
    tenantId: text("tenant_id"),
    requestId: text("request_id"),
    before: jsonb("before"),
    after: jsonb("after"),
    detail: jsonb("detail").$type<Readonly<Record<string, unknown>>>(),
    /**
     * Identifies the event of a line that may be delivered twice, because queues deliver at least once; or the
     * operation of a change that may be sent twice, because its answer may be lost.
     */
    sourceId: text("source_id").unique("audit_log_source_unique"),
    /** Of the body of a request with an idempotency key. */
    requestHash: text("request_hash"),
  },
  // The list reads each of these backwards: by time, and by time within one tenant, action or actor. Retention reads
  // the first one forwards.
  (t) => [
    index("idx_audit_log_at").on(t.at, t.id),
    index("idx_audit_log_tenant_at").on(t.tenantId, t.at, t.id),
    index("idx_audit_log_action_at").on(t.action, t.at, t.id),
    index("idx_audit_log_actor_at").on(t.actor, t.at, t.id),
    // Every minute the sweep looks for changes without an alert. Most lines are of other kinds.
    index("idx_audit_log_told")
      .on(t.at)
      .where(
        sql`${t.action} in ('override_granted', 'override_revoked', 'override_ended', 'tenant_suspended', 'tenant_resumed')`,
      ),
  ],
);

/** The webhooks of the last two hours that the audit has counted, so that one that is delivered twice counts once. */
export const countedWebhooks = pgTable(
  "counted_webhooks",
  {
    id: text("id").primaryKey(),
    countedAt: instant("counted_at").notNull(),
  },
  (t) => [index("idx_counted_webhooks_counted").on(t.countedAt)],
);

export const deadLetters = pgTable(
  "dead_letters",
  {
    id: uuid("id").primaryKey(),
    queue: text("queue").notNull(),
    messageId: text("message_id").notNull(),
    body: jsonb("body").notNull(),
    attempts: integer("attempts").notNull().default(0),
    error: text("error"),
    recordedAt: instant("recorded_at").notNull().defaultNow(),
    replayedAt: instant("replayed_at"),
    replayedBy: text("replayed_by"),
  },
  (t) => [
    unique("dead_letters_message_unique").on(t.queue, t.messageId),
    notNegative("dead_letters_attempts_not_negative", t.attempts),
    index("idx_dead_letters_recorded").on(newestFirst(t.recordedAt), t.id),
  ],
);
