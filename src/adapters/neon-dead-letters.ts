// Dead letters in Postgres. A message that is recorded twice is one row.

import { sql } from "drizzle-orm";
import type { DeadLetters } from "../ports.ts";
import { timestampOf } from "./neon-audit.ts";
import { type Database, runStatement } from "./neon-client.ts";

export function neonDeadLetters(database: Database): DeadLetters {
  return {
    async record({ queue, messageId, body, attempts, error, recordedAt }) {
      await runStatement(
        database,
        sql`insert into dead_letters (id, queue, message_id, body, attempts, error, recorded_at)
          values (gen_random_uuid(), ${queue}, ${messageId}, ${JSON.stringify(body ?? null)}::jsonb, ${attempts},
            ${error}, ${timestampOf(recordedAt)})
          on conflict (queue, message_id) do nothing`,
      );
    },
  };
}
