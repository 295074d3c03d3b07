// The tables that the list of tenants reads: each tenant's place in it, and how many tenants are in each state. Only
// triggers write them, so that no writer can forget to: migrations/0010_admin_api.sql. Holds no queries.

import { sql } from "drizzle-orm";
import { bigint, index, integer, pgTable, text } from "drizzle-orm/pg-core";
import { STATE_REASONS } from "../../../budget/verdict.ts";
import { newestFirst, oneOf } from "./columns.ts";
import { tenantOf } from "./tables.ts";

/** One row for each living tenant. */
export const tenantStates = pgTable(
  "tenant_states",
  {
    tenantId: tenantOf().primaryKey(),
    /** As `stateAt` decides, with every override whose end is not recorded yet. The state follows from it. */
    reason: text("reason", { enum: STATE_REASONS }).notNull().default("spend_unknown"),
    /** Hundredths of a percent of the limit, rounded down: 8250 is 82.5 %. -1: no spend is known, or the limit is 0. */
    used: integer("used").notNull().default(-1),
  },
  (t) => [
    oneOf("tenant_states_reason_known", t.reason, STATE_REASONS),
    index("idx_tenant_states_used").on(t.reason, newestFirst(t.used), t.tenantId),
    index("idx_tenant_states_reason").on(t.reason, t.tenantId),
    index("idx_tenant_states_unknown").on(t.tenantId).where(sql`${t.used} = -1`),
  ],
);

/**
 * How many tenants are in each state, as a sum: a change takes the rows that no other one has locked, and puts its
 * own in their place. So two changes never wait for each other.
 */
export const tenantStateCounts = pgTable("tenant_state_counts", {
  reason: text("reason", { enum: STATE_REASONS }).notNull(),
  tenants: bigint("tenants", { mode: "number" }).notNull(),
});
