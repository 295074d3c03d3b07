// The OutageNotes port on Postgres: one row, and none before the first ping that failed.

import { sql } from "drizzle-orm";
import * as z from "zod";
import { NO_OUTAGE } from "../../budget/failure.ts";
import type { OutageNotes } from "../../ports/stores.ts";
import { type Database, runStatement } from "./client.ts";
import { ms, timestampOf } from "./instants.ts";
import { jsonbText } from "./jsonb.ts";

const row = z.object({
  started_at: z.number().nullable(),
  pings: z.array(z.object({ at: z.number(), hasAnswered: z.boolean() })),
});

export function postgresOutageNotes(database: Database): OutageNotes {
  return {
    async load() {
      const [raw] = await runStatement(
        database,
        sql`select ${ms("started_at")} as started_at, pings from litellm_outage`,
      );
      if (raw === undefined) return NO_OUTAGE;
      const { started_at: startedAt, pings } = row.parse(raw);
      return { startedAt, pings };
    },

    async save({ startedAt, pings }) {
      await runStatement(
        database,
        sql`insert into litellm_outage (started_at, pings) values (${timestampOf(startedAt)}, ${jsonbText(pings)}::jsonb)
          on conflict (id) do update set started_at = excluded.started_at, pings = excluded.pings`,
      );
    },
  };
}
