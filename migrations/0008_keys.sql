ALTER TABLE "platform_alerts" DROP CONSTRAINT "platform_alerts_kind_known";--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "mark_nonce" uuid;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "carried" numeric(24, 9) DEFAULT '0' NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "carried_period" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_keys" ADD COLUMN "ends_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_keys" ADD COLUMN "blocked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_keys" ADD COLUMN "carried_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "idx_tenant_keys_ending" ON "tenant_keys" USING btree ("ends_at") WHERE "tenant_keys"."ends_at" is not null;--> statement-breakpoint
ALTER TABLE "platform_alerts" ADD CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out', 'litellm_unreadable', 'mark_copied'));--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD CONSTRAINT "tenant_configs_carried_not_negative" CHECK ("tenant_configs"."carried" >= 0 and "tenant_configs"."carried" <> 'NaN');