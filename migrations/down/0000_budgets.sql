-- Takes 0000_budgets away, with everything stored since. Children before parents; no cascade, so that an object of
-- somebody else which depends on these tables stops the rollback instead of disappearing with it.
DROP TABLE "notice_deliveries";
DROP TABLE "notification_channels";
DROP TABLE "budget_alert_history";
DROP TABLE "budget_overrides";
DROP TABLE "tenant_spend";
DROP TABLE "tenant_keys";
DROP TABLE "tenant_configs";
DROP TABLE "audit_log";
DROP TABLE "dead_letters";
DROP SEQUENCE "config_revision";
