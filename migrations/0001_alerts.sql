ALTER TABLE "audit_log" ADD COLUMN "source_id" text;--> statement-breakpoint
ALTER TABLE "budget_alert_history" ADD COLUMN "limit_amount" numeric(24, 9) DEFAULT '0' NOT NULL;--> statement-breakpoint
ALTER TABLE "budget_alert_history" ADD COLUMN "resets_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "budget_alert_history" ADD COLUMN "silent" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "budget_alert_history" ADD COLUMN "detail" jsonb;--> statement-breakpoint
ALTER TABLE "notification_channels" ADD COLUMN "target_hint" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_configs" ADD COLUMN "period_seen_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "alerts_version" integer;--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "alerts_period_started_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "audit_log" ADD CONSTRAINT "audit_log_source_unique" UNIQUE("source_id");--> statement-breakpoint
ALTER TABLE "budget_alert_history" ADD CONSTRAINT "budget_alert_history_limit_amount_not_negative" CHECK ("budget_alert_history"."limit_amount" >= 0 and "budget_alert_history"."limit_amount" <> 'NaN');