// The tables of alerts about the platform itself, and of LiteLLM's outage. Holds no queries.

import { sql } from "drizzle-orm";
import { check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import type { AlertDetail } from "../../../budget/alert.ts";
import { PLATFORM_ALERT_KINDS, type PlatformAlertKind } from "../../../budget/delivery/severity.ts";
import { instant, oneOf } from "./columns.ts";

const kinds = PLATFORM_ALERT_KINDS as [PlatformAlertKind, ...PlatformAlertKind[]];

/** One row for each alert about a condition; a reminder is a row of its own. */
export const platformAlerts = pgTable(
  "platform_alerts",
  {
    id: uuid("id").primaryKey(),
    kind: text("kind", { enum: kinds }).notNull(),
    detail: jsonb("detail").$type<AlertDetail>().notNull(),
    /** When the condition was first seen. */
    begunAt: instant("begun_at").notNull(),
    createdAt: instant("created_at").notNull(),
    /** Null while the condition lasts and no reminder has replaced the alert. */
    endedAt: instant("ended_at"),
  },
  (t) => [
    oneOf("platform_alerts_kind_known", t.kind, kinds),
    index("idx_platform_alerts_created").on(t.createdAt),
    uniqueIndex("idx_platform_alerts_open").on(t.kind).where(sql`${t.endedAt} is null`),
  ],
);

/** One row at most. KV has a copy. */
export const litellmOutage = pgTable(
  "litellm_outage",
  {
    id: integer("id").primaryKey().default(1),
    /** Null: LiteLLM is not out. */
    startedAt: instant("started_at"),
    /** The last pings, oldest first. */
    pings: jsonb("pings").notNull(),
  },
  (t) => [check("litellm_outage_one_row", sql`${t.id} = 1`)],
);
