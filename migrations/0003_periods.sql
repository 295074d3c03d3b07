ALTER TABLE "tenant_configs" ADD COLUMN "period_announced" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "period_close_tried_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "idx_tenant_configs_unannounced" ON "tenant_configs" USING btree ("period_seen_at") WHERE not "tenant_configs"."period_announced";