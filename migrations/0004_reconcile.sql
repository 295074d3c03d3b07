CREATE TABLE "platform_alerts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"detail" jsonb NOT NULL,
	"begun_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	CONSTRAINT "platform_alerts_kind_known" CHECK ("platform_alerts"."kind" in ('dead_letter', 'sync_pending', 'litellm_silent', 'litellm_out'))
);
--> statement-breakpoint
ALTER TABLE "notice_deliveries" DROP CONSTRAINT "notice_deliveries_pkey";--> statement-breakpoint
ALTER TABLE "notice_deliveries" ALTER COLUMN "alert_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD COLUMN "platform_alert_id" uuid;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "read_leased_until" timestamp (3) with time zone;--> statement-breakpoint
CREATE UNIQUE INDEX "idx_platform_alerts_open" ON "platform_alerts" USING btree ("kind") WHERE "platform_alerts"."ended_at" is null;--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_platform_alert_id_platform_alerts_id_fk" FOREIGN KEY ("platform_alert_id") REFERENCES "public"."platform_alerts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_alert_unique" UNIQUE("alert_id","channel_id");--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_platform_alert_unique" UNIQUE("platform_alert_id","channel_id");--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_of_one_alert" CHECK (num_nonnulls("notice_deliveries"."alert_id", "notice_deliveries"."platform_alert_id") = 1);