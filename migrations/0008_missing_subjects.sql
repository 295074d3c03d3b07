CREATE TABLE "litellm_outage" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"started_at" timestamp (3) with time zone,
	"pings" jsonb NOT NULL,
	CONSTRAINT "litellm_outage_one_row" CHECK ("litellm_outage"."id" = 1)
);
--> statement-breakpoint
ALTER TABLE "platform_alerts" DROP CONSTRAINT "platform_alerts_kind_known";--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "subject_missing_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "litellm_blocked_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "idx_tenant_configs_subject_missing" ON "tenant_configs" USING btree ("subject_missing_at") WHERE "tenant_configs"."subject_missing_at" is not null;--> statement-breakpoint
ALTER TABLE "platform_alerts" ADD CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out', 'litellm_unreadable', 'subject_missing'));