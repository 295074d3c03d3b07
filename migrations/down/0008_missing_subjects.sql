-- Rolls 0008_missing_subjects back. Deletes its alerts and their deliveries; the audit lines stay. Which keys and teams
-- are missing or blocked in LiteLLM is forgotten, and the next reads show it again.
DELETE FROM "platform_alerts" WHERE "kind" = 'subject_missing';
ALTER TABLE "platform_alerts" DROP CONSTRAINT "platform_alerts_kind_known";
ALTER TABLE "platform_alerts" ADD CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out', 'litellm_unreadable'));
DROP INDEX "idx_tenant_configs_subject_missing";
ALTER TABLE "tenant_configs" DROP COLUMN "litellm_blocked_at";
ALTER TABLE "tenant_configs" DROP COLUMN "subject_missing_at";
DROP TABLE "litellm_outage";
