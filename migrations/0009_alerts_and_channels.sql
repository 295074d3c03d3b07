ALTER TABLE "platform_alerts" DROP CONSTRAINT "platform_alerts_kind_known";--> statement-breakpoint
ALTER TABLE "notice_deliveries" DROP CONSTRAINT "notice_deliveries_status_known";--> statement-breakpoint
ALTER TABLE "notification_channels" DROP CONSTRAINT "notification_channels_kind_known";--> statement-breakpoint
DROP INDEX "idx_tenant_configs_unannounced";--> statement-breakpoint
ALTER TABLE "budget_alert_history" ADD COLUMN "repetition" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD COLUMN "turn_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD COLUMN "open_attempts" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD COLUMN "digest_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD COLUMN "digest_id" uuid;--> statement-breakpoint
ALTER TABLE "notification_channels" ADD COLUMN "events" text[];--> statement-breakpoint
ALTER TABLE "notification_channels" ADD COLUMN "min_severity" text DEFAULT 'info' NOT NULL;--> statement-breakpoint
ALTER TABLE "notification_channels" ADD COLUMN "last_error" text;--> statement-breakpoint
ALTER TABLE "notification_channels" ADD COLUMN "last_error_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "notification_channels" ADD COLUMN "broken_since" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "refusal" jsonb;--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_digest_id_platform_alerts_id_fk" FOREIGN KEY ("digest_id") REFERENCES "public"."platform_alerts"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_notice_deliveries_digest_due" ON "notice_deliveries" USING btree ("digest_at") WHERE "notice_deliveries"."status" = 'pending' and "notice_deliveries"."digest_at" is not null and "notice_deliveries"."digest_id" is null;--> statement-breakpoint
CREATE INDEX "idx_notice_deliveries_digest" ON "notice_deliveries" USING btree ("digest_id") WHERE "notice_deliveries"."digest_id" is not null;--> statement-breakpoint
CREATE INDEX "idx_tenant_configs_period_seen" ON "tenant_configs" USING btree ("period_seen_at");--> statement-breakpoint
ALTER TABLE "platform_alerts" ADD CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out', 'litellm_unreadable', 'subject_missing', 'tenants_unread', 'mark_copied', 'spend_fell', 'channel_broken', 'budgets_reset'));--> statement-breakpoint
ALTER TABLE "budget_alert_history" ADD CONSTRAINT "budget_alert_history_repetition_not_negative" CHECK ("budget_alert_history"."repetition" >= 0);--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_open_attempts_not_negative" CHECK ("notice_deliveries"."open_attempts" >= 0);--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_status_known" CHECK ("notice_deliveries"."status" in ('pending', 'sent', 'skipped', 'superseded', 'failed'));--> statement-breakpoint
ALTER TABLE "notification_channels" ADD CONSTRAINT "notification_channels_min_severity_known" CHECK ("notification_channels"."min_severity" in ('info', 'warning', 'critical'));--> statement-breakpoint
ALTER TABLE "notification_channels" ADD CONSTRAINT "notification_channels_kind_known" CHECK ("notification_channels"."kind" in ('slack', 'email', 'webhook', 'pagerduty', 'teams', 'discord'));