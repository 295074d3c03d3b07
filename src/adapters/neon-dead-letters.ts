// Dead letters in Postgres. A message that is recorded twice is one row.

import { sql } from "drizzle-orm";
import type { DeadLetters } from "../ports.ts";
import { timestampOf } from "./neon-audit.ts";
import { type Database, runStatement } from "./neon-client.ts";

/** An escaped backslash is one of them, so that it is never taken for the beginning of the next. */
const ANY_ESCAPE = /\\(?:u[0-9a-f]{4}|.)/g;
const REFUSED = /^\\u(?:0000|d[89a-f])/;

export function neonDeadLetters(database: Database): DeadLetters {
  return {
    async record({ queue, messageId, body, attempts, error, recordedAt }) {
      await runStatement(
        database,
        sql`insert into dead_letters (id, queue, message_id, body, attempts, error, recorded_at)
          values (gen_random_uuid(), ${queue}, ${messageId}, ${jsonOf(body)}::jsonb, ${attempts},
            ${error}, ${timestampOf(recordedAt)})
          on conflict (queue, message_id) do nothing`,
      );
    },
    list: notBuilt,
    load: notBuilt,
    markReplayed: notBuilt,
  };
}

async function notBuilt(): Promise<never> {
  throw new Error("not built yet");
}

/** jsonb takes neither NUL nor half a surrogate pair, which JSON writes as escapes: a letter is kept without them. */
function jsonOf(body: unknown): string {
  return JSON.stringify(body ?? null).replace(ANY_ESCAPE, (found) => (REFUSED.test(found) ? "\\ufffd" : found));
}
