-- Rolls 0008_keys_and_outages back. Deletes its platform alerts and their deliveries; the audit lines stay. Which keys and
-- teams are missing or blocked in LiteLLM is forgotten, and the next reads show it again. Older keys of a tenant stop
-- being its keys, and the spend of removed ones is forgotten. Marks in LiteLLM stay; nothing reads them. Idempotency keys
-- sent so far no longer tell two bodies apart without Redis.
DELETE FROM "tenant_keys" k USING "tenant_configs" t WHERE t."tenant_id" = k."tenant_id" AND k."ends_at" IS NOT NULL AND k."key_hash" <> t."subject_id";
ALTER TABLE "tenant_configs" DROP CONSTRAINT "tenant_configs_carried_not_negative";
DELETE FROM "platform_alerts" WHERE "kind" IN ('subject_missing', 'mark_copied');
ALTER TABLE "platform_alerts" DROP CONSTRAINT "platform_alerts_kind_known";
ALTER TABLE "platform_alerts" ADD CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out', 'litellm_unreadable'));
DROP INDEX "idx_tenant_keys_ending";
DROP INDEX "idx_tenant_configs_subject_missing";
ALTER TABLE "tenant_keys" DROP COLUMN "carried_at";
ALTER TABLE "tenant_keys" DROP COLUMN "blocked_at";
ALTER TABLE "tenant_keys" DROP COLUMN "ends_at";
ALTER TABLE "tenant_configs" DROP COLUMN "carried_period";
ALTER TABLE "tenant_configs" DROP COLUMN "carried";
ALTER TABLE "tenant_configs" DROP COLUMN "mark_nonce";
ALTER TABLE "tenant_configs" DROP COLUMN "litellm_blocked_at";
ALTER TABLE "tenant_configs" DROP COLUMN "subject_missing_at";
ALTER TABLE "audit_log" DROP COLUMN "request_hash";
DROP TABLE "litellm_outage";
