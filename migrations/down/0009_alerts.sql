-- Rolls 0009_alerts back. Alerts no longer say whether they repeat one that still stands. Deletes the platform alerts of
-- spend that fell and their deliveries; the audit lines stay.
ALTER TABLE "budget_alert_history" DROP CONSTRAINT "budget_alert_history_repetition_not_negative";
DELETE FROM "platform_alerts" WHERE "kind" = 'spend_fell';
ALTER TABLE "platform_alerts" DROP CONSTRAINT "platform_alerts_kind_known";
ALTER TABLE "budget_alert_history" DROP COLUMN "repetition";
ALTER TABLE "platform_alerts" ADD CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out', 'litellm_unreadable', 'subject_missing', 'mark_copied'));
