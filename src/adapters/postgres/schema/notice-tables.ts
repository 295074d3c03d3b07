// The tables of channels and deliveries, beside tables.ts: a module of its own only for its size. Holds no queries.

import { sql } from "drizzle-orm";
import { boolean, check, index, integer, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import { type ChannelEvent, SEVERITIES } from "../../../budget/delivery/severity.ts";
import { instant, newestFirst, notNegative, oneOf } from "./columns.ts";
import { platformAlerts } from "./platform-tables.ts";
import { budgetAlertHistory, tenantOf } from "./tables.ts";

const channelKinds = ["slack", "email", "webhook", "pagerduty", "teams", "discord"] as const;
const deliveryStatuses = ["pending", "sent", "skipped", "superseded", "failed"] as const;

export const notificationChannels = pgTable(
  "notification_channels",
  {
    id: uuid("id").primaryKey(),
    /** Null: a channel of the whole platform. */
    tenantId: tenantOf(),
    kind: text("kind", { enum: channelKinds }).notNull(),
    name: text("name").notNull(),
    encryptedTarget: text("sealed_target").notNull(),
    /** The part of the target that a list may show to an administrator. */
    targetHint: text("target_hint").notNull().default(""),
    enabled: boolean("enabled").notNull().default(true),
    /** The events that the channel gets; null: the default of its kind of owner. */
    events: text("events").array().$type<ChannelEvent[]>(),
    minSeverity: text("min_severity", { enum: SEVERITIES }).notNull().default("info"),
    /** Why its provider refused a notice for good, until a notice is sent or the target changes. */
    lastError: text("last_error"),
    lastErrorAt: instant("last_error_at"),
    brokenSince: instant("broken_since"),
    /** Counts changes by administrators. */
    version: integer("version").notNull().default(1),
    createdAt: instant("created_at").notNull().defaultNow(),
    updatedAt: instant("updated_at").notNull().defaultNow(),
  },
  (t) => [
    oneOf("notification_channels_kind_known", t.kind, channelKinds),
    oneOf("notification_channels_min_severity_known", t.minSeverity, SEVERITIES),
    index("idx_notification_channels_tenant").on(t.tenantId, newestFirst(t.createdAt), t.id),
    index("idx_notification_channels_created").on(newestFirst(t.createdAt), t.id),
  ],
);

/** A delivery belongs either to an alert of a tenant or to an alert of the platform. */
export const noticeDeliveries = pgTable(
  "notice_deliveries",
  {
    alertId: uuid("alert_id").references(() => budgetAlertHistory.id, { onDelete: "cascade" }),
    platformAlertId: uuid("platform_alert_id").references(() => platformAlerts.id, { onDelete: "cascade" }),
    channelId: uuid("channel_id")
      .notNull()
      .references(() => notificationChannels.id, { onDelete: "cascade" }),
    status: text("status", { enum: deliveryStatuses }).notNull().default("pending"),
    attempts: integer("attempts").notNull().default(0),
    nextAttemptAt: instant("next_attempt_at"),
    /** The turn that the channel's pace gave to the next attempt. */
    turnAt: instant("turn_at"),
    /** Attempts that have begun and are not known to have failed: the notice may have arrived. */
    openAttempts: integer("open_attempts").notNull().default(0),
    /** When the delivery is summed up in a digest; null: it has a notice of its own. */
    digestAt: instant("digest_at"),
    /** The digest's alert, once there is one. */
    digestId: uuid("digest_id").references(() => platformAlerts.id, { onDelete: "set null" }),
    lastError: text("last_error"),
    sentAt: instant("sent_at"),
    updatedAt: instant("updated_at").notNull().defaultNow(),
  },
  (t) => [
    unique("notice_deliveries_alert_unique").on(t.alertId, t.channelId),
    unique("notice_deliveries_platform_alert_unique").on(t.platformAlertId, t.channelId),
    check("notice_deliveries_of_one_alert", sql`num_nonnulls(${t.alertId}, ${t.platformAlertId}) = 1`),
    oneOf("notice_deliveries_status_known", t.status, deliveryStatuses),
    notNegative("notice_deliveries_attempts_not_negative", t.attempts),
    index("idx_notice_deliveries_pending").on(t.nextAttemptAt).where(sql`${t.status} = 'pending'`),
    notNegative("notice_deliveries_open_attempts_not_negative", t.openAttempts),
    index("idx_notice_deliveries_digest_due")
      .on(t.digestAt)
      .where(sql`${t.status} = 'pending' and ${t.digestAt} is not null and ${t.digestId} is null`),
    index("idx_notice_deliveries_digest").on(t.digestId).where(sql`${t.digestId} is not null`),
    index("idx_notice_deliveries_channel").on(t.channelId),
    index("idx_notice_deliveries_updated").on(t.updatedAt),
  ],
);
