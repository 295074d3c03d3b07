// Dead letters in Postgres. A message that is recorded twice is one row.

import { sql } from "drizzle-orm";
import * as z from "zod";
import type { DeadLetters } from "../../../ports/stores.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { DeadLetterRecord } from "../../../records/dead-letter.ts";
import { isUuid } from "../../../wire/uuid.ts";
import { type Database, type Row, runStatement } from "../client.ts";
import { ms, timestampOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";
import { keptText } from "../kept-text.ts";
import { comesAfter, pageOf } from "../page.ts";

const REPLAYED: AuditAction = "dead_letter_replayed";

export function postgresDeadLetters(database: Database): DeadLetters {
  return {
    async record({ queue, messageId, body, attempts, error, recordedAt }) {
      await runStatement(
        database,
        sql`insert into dead_letters (id, queue, message_id, body, attempts, error, recorded_at)
          values (gen_random_uuid(), ${queue}, ${messageId}, ${jsonbText(body)}::jsonb, ${attempts},
            ${keptText(error)}, ${timestampOf(recordedAt)})
          on conflict (queue, message_id) do nothing`,
      );
    },

    async list({ before, limit }) {
      // One more than asked for tells whether there is a next page.
      const rows = await runStatement(
        database,
        sql`${selectLetters} where ${comesAfter(before, "l", "recorded_at")} order by l.recorded_at desc, l.id limit ${limit + 1}`,
      );
      return pageOf(rows.map(letterFromRow), limit, ({ recordedAt, id }) => ({ at: recordedAt, id }));
    },

    async load(id) {
      if (!isUuid(id)) return null;
      const [row] = await runStatement(database, sql`${selectLetters} where l.id = ${id}`);
      return row === undefined ? null : letterFromRow(row);
    },

    async markReplayed(id, { name, requestId, now }) {
      if (!isUuid(id)) return;
      const at = timestampOf(now);
      await runStatement(
        database,
        sql`with replayed as (update dead_letters l set replayed_at = ${at}, replayed_by = ${name}
            where l.id = ${id} returning l.*)
          insert into audit_log (at, actor, action, request_id, detail)
          select ${at}, ${name}, ${REPLAYED}, ${requestId},
            jsonb_build_object('dead_letter_id', l.id, 'queue', l.queue, 'message_id', l.message_id) from replayed l`,
      );
    },
  };
}

const selectLetters = sql`select l.id, l.queue, l.message_id, l.body, l.attempts, l.error,
  ${ms("l.recorded_at")} as recorded_at, ${ms("l.replayed_at")} as replayed_at, l.replayed_by from dead_letters l`;

const row = z.object({
  id: z.string(),
  queue: z.string(),
  message_id: z.string(),
  body: z.unknown(),
  attempts: z.number(),
  error: z.string().nullable(),
  recorded_at: z.number(),
  replayed_at: z.number().nullable(),
  replayed_by: z.string().nullable(),
});

/** @throws ZodError when it is not what `selectLetters` selects: a bug or a foreign table. */
function letterFromRow(raw: Row): DeadLetterRecord {
  const read = row.parse(raw);
  return {
    id: read.id,
    queue: read.queue,
    messageId: read.message_id,
    body: read.body,
    attempts: read.attempts,
    error: read.error,
    recordedAt: read.recorded_at,
    replayedAt: read.replayed_at,
    replayedBy: read.replayed_by,
  };
}
