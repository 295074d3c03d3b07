-- Rolls 0009_alerts back. Alerts no longer say whether they repeat one that still stands.
ALTER TABLE "budget_alert_history" DROP CONSTRAINT "budget_alert_history_repetition_not_negative";
ALTER TABLE "budget_alert_history" DROP COLUMN "repetition";
