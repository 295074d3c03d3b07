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
    detail: jsonb("detail"),
    /**
     * Identifies the event of a line that may be delivered twice, because queues deliver at least once; or the
     * operation of a change that may be sent twice, because its answer may be lost.
     */
    sourceId: text("source_id").unique("audit_log_source_unique"),
    /** Of the body of a request with an idempotency key. */
    requestHash: text("request_hash"),
  },
  // Newest first without a tenant is the primary key read backwards.
  (t) => [
    index("idx_audit_log_tenant").on(t.tenantId, t.id),
    // Every minute the sweep looks for changes without an alert. Most lines are of other kinds.
    index("idx_audit_log_told")
      .on(t.at)
      .where(
        sql`${t.action} in ('override_granted', 'override_revoked', 'override_ended', 'tenant_suspended', 'tenant_resumed')`,
      ),
  ],
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
