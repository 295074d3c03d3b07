-- Rolls 0009_refusal_and_unread back. Deletes its platform alerts and their deliveries; the audit lines stay. Refusals
-- of tenants with settings of their own have Bursar's words and amounts again.
DELETE FROM "platform_alerts" WHERE "kind" = 'tenants_unread';
ALTER TABLE "platform_alerts" DROP CONSTRAINT "platform_alerts_kind_known";
ALTER TABLE "platform_alerts" ADD CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out', 'litellm_unreadable', 'subject_missing', 'mark_copied'));
ALTER TABLE "tenant_configs" DROP COLUMN "refusal";
