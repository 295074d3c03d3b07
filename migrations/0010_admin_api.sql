CREATE TABLE "counted_reports" (
	"id" text PRIMARY KEY NOT NULL,
	"counted_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "tenant_configs" DROP CONSTRAINT "tenant_configs_subject_unique";--> statement-breakpoint
DROP INDEX "idx_audit_log_tenant";--> statement-breakpoint
DROP INDEX "idx_notification_channels_tenant";--> statement-breakpoint
ALTER TABLE "notification_channels" ADD COLUMN "version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "settings_version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "metadata" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
CREATE INDEX "idx_counted_reports_counted" ON "counted_reports" USING btree ("counted_at");--> statement-breakpoint
CREATE INDEX "idx_audit_log_at" ON "audit_log" USING btree ("at","id");--> statement-breakpoint
CREATE INDEX "idx_audit_log_tenant_at" ON "audit_log" USING btree ("tenant_id","at","id");--> statement-breakpoint
CREATE INDEX "idx_audit_log_action_at" ON "audit_log" USING btree ("action","at","id");--> statement-breakpoint
CREATE INDEX "idx_audit_log_actor_at" ON "audit_log" USING btree ("actor","at","id");--> statement-breakpoint
CREATE INDEX "idx_platform_alerts_created" ON "platform_alerts" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "idx_budget_alerts_event" ON "budget_alert_history" USING btree ("event_type","created_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "idx_budget_overrides_created" ON "budget_overrides" USING btree ("tenant_id","created_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "idx_notice_deliveries_updated" ON "notice_deliveries" USING btree ("updated_at");--> statement-breakpoint
CREATE INDEX "idx_notification_channels_created" ON "notification_channels" USING btree ("created_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE UNIQUE INDEX "tenant_configs_subject_unique" ON "tenant_configs" USING btree ("subject_kind","subject_id") WHERE "tenant_configs"."deleted_at" is null or "tenant_configs"."litellm_sync" = 'pending';--> statement-breakpoint
CREATE INDEX "idx_tenant_configs_deleted" ON "tenant_configs" USING btree ("deleted_at") WHERE "tenant_configs"."deleted_at" is not null;--> statement-breakpoint
CREATE INDEX "idx_notification_channels_tenant" ON "notification_channels" USING btree ("tenant_id","created_at" DESC NULLS FIRST,"id");