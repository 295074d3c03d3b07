// Dead letters in Postgres. A message that is recorded twice is one row.

import { and, desc, eq, getTableColumns, sql } from "drizzle-orm";
import type { DeadLetters } from "../../../ports/notice-stores.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { DeadLetterRecord } from "../../../records/dead-letter.ts";
import { isUuid } from "../../../wire/uuid.ts";
import { sourceIdOf, withReason } from "../audit/audit-insert.ts";
import { makeChange } from "../audit/make-change.ts";
import { type Database, runQuery } from "../client.ts";
import { instantOf, timestampOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";
import { comesAfter, isWithin, pageOf } from "../page.ts";
import { postgresText } from "../postgres-text.ts";
import { deadLetters } from "../schema/audit-tables.ts";

const REPLAYED: AuditAction = "dead_letter_replayed";

const LETTER = sql.raw("jsonb_build_object('dead_letter_id', l.id, 'queue', l.queue, 'message_id', l.message_id)");

/** The driver has parsed the body. Drizzle would parse a body that is a JSON string once more, so it is read as SQL. */
const columns = { ...getTableColumns(deadLetters), body: sql<unknown>`${deadLetters.body}` };

export function postgresDeadLetters(database: Database): DeadLetters {
  return {
    async record({ queue, messageId, body, attempts, error, recordedAt }) {
      const letter = {
        id: sql`gen_random_uuid()`,
        queue,
        messageId,
        body: sql`${jsonbText(body)}::jsonb`,
        attempts,
        error: postgresText(error),
        recordedAt: new Date(recordedAt),
      };
      await runQuery(database, (db) =>
        db
          .insert(deadLetters)
          .values(letter)
          .onConflictDoNothing({ target: [deadLetters.queue, deadLetters.messageId] }),
      );
    },

    async list({ before, limit, ...range }) {
      const rows = await runQuery(database, (db) =>
        db
          .select(columns)
          .from(deadLetters)
          .where(
            and(comesAfter(before, deadLetters.recordedAt, deadLetters.id), isWithin(range, deadLetters.recordedAt)),
          )
          .orderBy(desc(deadLetters.recordedAt), deadLetters.id)
          .limit(limit + 1),
      );
      return pageOf(rows.map(letterFromRow), limit, ({ recordedAt, id }) => ({ at: recordedAt, id }));
    },

    async load(id) {
      if (!isUuid(id)) return null;
      const [row] = await runQuery(database, (db) =>
        db.select(columns).from(deadLetters).where(eq(deadLetters.id, id)),
      );
      return row === undefined ? null : letterFromRow(row);
    },

    async markReplayed(id, actor) {
      if (!isUuid(id)) return;
      const at = timestampOf(actor.now);
      await makeChange(database, {
        statements: [
          sql`with replayed as (update dead_letters l set replayed_at = ${at}, replayed_by = ${actor.name}
            where l.id = ${id} returning l.*)
          insert into audit_log (at, actor, action, request_id, source_id, detail)
          select ${at}, ${actor.name}, ${REPLAYED}, ${actor.requestId}, ${sourceIdOf(actor.operation, REPLAYED)},
            ${withReason(LETTER, actor.reason)} from replayed l`,
        ],
        outcome: (db) => db.execute(sql`select 1`),
        read: () => null,
      });
    },
  };
}

function letterFromRow(row: typeof deadLetters.$inferSelect): DeadLetterRecord {
  return { ...row, recordedAt: instantOf(row.recordedAt), replayedAt: instantOf(row.replayedAt) };
}
