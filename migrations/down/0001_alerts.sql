-- Takes 0001_alerts away: what alerts said beyond their figures, and how far they were looked for, is lost with it.
ALTER TABLE "budget_alert_history" DROP CONSTRAINT "budget_alert_history_limit_amount_not_negative";
ALTER TABLE "audit_log" DROP CONSTRAINT "audit_log_source_unique";
ALTER TABLE "tenant_spend" DROP COLUMN "alerts_period_started_at";
ALTER TABLE "tenant_spend" DROP COLUMN "alerts_version";
ALTER TABLE "notification_channels" DROP COLUMN "target_hint";
ALTER TABLE "budget_alert_history" DROP COLUMN "detail";
ALTER TABLE "budget_alert_history" DROP COLUMN "silent";
ALTER TABLE "budget_alert_history" DROP COLUMN "resets_at";
ALTER TABLE "budget_alert_history" DROP COLUMN "limit_amount";
ALTER TABLE "audit_log" DROP COLUMN "source_id";
ALTER TABLE "tenant_configs" DROP COLUMN "period_seen_at";
