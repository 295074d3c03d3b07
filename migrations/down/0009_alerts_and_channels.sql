-- Rolls 0009_alerts_and_channels back. Deletes the channels and the platform alerts of its kinds with their deliveries;
-- the audit lines stay. Superseded deliveries become skipped ones. Deliveries that wait for a digest are sent one by
-- one. Filters and errors of channels are forgotten, and refusals have Bursar's words and amounts again.
DELETE FROM "notification_channels" WHERE "kind" IN ('pagerduty', 'teams', 'discord');
DELETE FROM "platform_alerts" WHERE "kind" IN ('tenants_unread', 'spend_fell', 'channel_broken', 'budgets_reset');
UPDATE "notice_deliveries" SET "status" = 'skipped' WHERE "status" = 'superseded';
UPDATE "notice_deliveries" SET "next_attempt_at" = "digest_at" WHERE "status" = 'pending' AND "digest_at" IS NOT NULL;
ALTER TABLE "platform_alerts" DROP CONSTRAINT "platform_alerts_kind_known";
ALTER TABLE "platform_alerts" ADD CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out', 'litellm_unreadable', 'subject_missing', 'mark_copied'));
ALTER TABLE "notice_deliveries" DROP CONSTRAINT "notice_deliveries_status_known";
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_status_known" CHECK ("notice_deliveries"."status" in ('pending', 'sent', 'skipped', 'failed'));
ALTER TABLE "notification_channels" DROP CONSTRAINT "notification_channels_kind_known";
ALTER TABLE "notification_channels" ADD CONSTRAINT "notification_channels_kind_known" CHECK ("notification_channels"."kind" in ('slack', 'email', 'webhook'));
ALTER TABLE "budget_alert_history" DROP CONSTRAINT "budget_alert_history_repetition_not_negative";
ALTER TABLE "budget_alert_history" DROP COLUMN "repetition";
ALTER TABLE "notice_deliveries" DROP CONSTRAINT "notice_deliveries_open_attempts_not_negative";
DROP INDEX "idx_notice_deliveries_digest";
DROP INDEX "idx_notice_deliveries_digest_due";
ALTER TABLE "notice_deliveries" DROP COLUMN "digest_id";
ALTER TABLE "notice_deliveries" DROP COLUMN "digest_at";
ALTER TABLE "notice_deliveries" DROP COLUMN "open_attempts";
ALTER TABLE "notice_deliveries" DROP COLUMN "turn_at";
ALTER TABLE "notification_channels" DROP CONSTRAINT "notification_channels_min_severity_known";
ALTER TABLE "notification_channels" DROP COLUMN "broken_since";
ALTER TABLE "notification_channels" DROP COLUMN "last_error_at";
ALTER TABLE "notification_channels" DROP COLUMN "last_error";
ALTER TABLE "notification_channels" DROP COLUMN "min_severity";
ALTER TABLE "notification_channels" DROP COLUMN "events";
ALTER TABLE "tenant_configs" DROP COLUMN "refusal";
