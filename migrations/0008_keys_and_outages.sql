CREATE TABLE "litellm_outage" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"started_at" timestamp (3) with time zone,
	"pings" jsonb NOT NULL,
	CONSTRAINT "litellm_outage_one_row" CHECK ("litellm_outage"."id" = 1)
);
--> statement-breakpoint
ALTER TABLE "platform_alerts" DROP CONSTRAINT "platform_alerts_kind_known";--> statement-breakpoint
ALTER TABLE "audit_log" ADD COLUMN "request_hash" text;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "subject_missing_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "litellm_blocked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "mark_nonce" uuid;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "carried" numeric(24, 9) DEFAULT '0' NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "carried_period" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_keys" ADD COLUMN "ends_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_keys" ADD COLUMN "blocked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_keys" ADD COLUMN "carried_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "idx_tenant_configs_subject_missing" ON "tenant_configs" USING btree ("subject_missing_at") WHERE "tenant_configs"."subject_missing_at" is not null;--> statement-breakpoint
CREATE INDEX "idx_tenant_keys_ending" ON "tenant_keys" USING btree ("ends_at") WHERE "tenant_keys"."ends_at" is not null;--> statement-breakpoint
ALTER TABLE "platform_alerts" ADD CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out', 'litellm_unreadable', 'subject_missing', 'mark_copied'));--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD CONSTRAINT "tenant_configs_carried_not_negative" CHECK ("tenant_configs"."carried" >= 0 and "tenant_configs"."carried" <> 'NaN');