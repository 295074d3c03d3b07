-- Rolls 0006_litellm_unreadable back. Deletes its alerts and their deliveries; the audit lines stay.
DELETE FROM "platform_alerts" WHERE "kind" = 'litellm_unreadable';
ALTER TABLE "platform_alerts" DROP CONSTRAINT "platform_alerts_kind_known";
ALTER TABLE "platform_alerts" ADD CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out'));
