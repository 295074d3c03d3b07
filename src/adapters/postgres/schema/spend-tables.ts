// The tables of spend: a row per tenant, and the calls that were counted lately.

import { bigint, index, integer, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { instant, money, moneyNotNegative, oneOf } from "./columns.ts";
import { tenantOf } from "./tables.ts";

const spendSources = ["litellm", "webhook", "events", "gate"] as const;

export const tenantSpend = pgTable(
  "tenant_spend",
  {
    tenantId: tenantOf().primaryKey(),
    spend: money("spend").notNull(),
    observedAt: instant("observed_at").notNull(),
    /** When Bursar last read LiteLLM's API for the tenant; null before the first read. */
    readAt: instant("read_at"),
    source: text("source", { enum: spendSources }).notNull(),
    periodStartedAt: instant("period_started_at").notNull(),
    resetsAt: instant("resets_at"),
    spendRatePerSecond: money("burn_per_second").notNull().default("0"),
    /** The limit version and the period of the last evaluation of alerts; null before the first one. */
    alertsVersion: integer("alerts_version"),
    alertsPeriodStartedAt: instant("alerts_period_started_at"),
    /** The value of one read of LiteLLM, and when it was answered; null before the first read. */
    baseValue: money("base_value"),
    baseAnsweredAt: instant("base_answered_at"),
    /** The cost of the counted calls that are not in the base. */
    since: money("since").notNull().default("0"),
    countedAt: instant("counted_at"),
    /** A read that showed less than the spend, until another read settles which one is right. */
    doubtSpend: money("doubt_spend"),
    doubtValue: money("doubt_value"),
    doubtAt: instant("doubt_at"),
    /** Reads asked before this instant are ignored. */
    fenceAt: instant("fence_at"),
    /** Rises whenever a read replaces the spend, which may lower it. */
    epoch: integer("epoch").notNull().default(0),
    /** Rises with every change of the spend, so that no writer replaces a change that it has not seen. */
    spendVersion: bigint("spend_version", { mode: "number" }).notNull().default(0),
  },
  (t) => [
    moneyNotNegative("tenant_spend_spend_not_negative", t.spend),
    moneyNotNegative("tenant_spend_since_not_negative", t.since),
    moneyNotNegative("tenant_spend_burn_per_second_not_negative", t.spendRatePerSecond),
    oneOf("tenant_spend_source_known", t.source, spendSources),
    index("idx_tenant_spend_read").on(t.readAt.asc().nullsFirst()),
  ],
);

/** The calls of the last two hours that were counted, so that none is counted twice. */
export const countedCalls = pgTable(
  "counted_calls",
  {
    tenantId: tenantOf().notNull(),
    endedAt: instant("ended_at").notNull(),
    callId: uuid("call_id").notNull(),
    cost: money("cost").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.endedAt, t.callId] }),
    moneyNotNegative("counted_calls_cost_not_negative", t.cost),
    index("idx_counted_calls_ended").using("brin", t.endedAt),
  ],
);
