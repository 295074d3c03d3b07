CREATE TABLE "counted_calls" (
	"tenant_id" text NOT NULL,
	"ended_at" timestamp (3) with time zone NOT NULL,
	"call_id" uuid NOT NULL,
	"cost" numeric(24, 9) NOT NULL,
	CONSTRAINT "counted_calls_tenant_id_ended_at_call_id_pk" PRIMARY KEY("tenant_id","ended_at","call_id"),
	CONSTRAINT "counted_calls_cost_not_negative" CHECK ("counted_calls"."cost" >= 0 and "counted_calls"."cost" <> 'NaN')
);
--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "base_value" numeric(24, 9);--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "base_answered_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "since" numeric(24, 9) DEFAULT '0' NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "counted_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "doubt_spend" numeric(24, 9);--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "doubt_value" numeric(24, 9);--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "doubt_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "fence_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "epoch" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD COLUMN "spend_version" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "counted_calls" ADD CONSTRAINT "counted_calls_tenant_id_tenant_configs_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenant_configs"("tenant_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_counted_calls_ended" ON "counted_calls" USING brin ("ended_at");--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD CONSTRAINT "tenant_spend_since_not_negative" CHECK ("tenant_spend"."since" >= 0 and "tenant_spend"."since" <> 'NaN');--> statement-breakpoint
-- The spend so far becomes the base of what is counted from now on.
UPDATE "tenant_spend" SET "base_value" = "spend", "base_answered_at" = greatest("read_at", "observed_at"), "fence_at" = "read_at", "epoch" = 1 WHERE "read_at" IS NOT NULL;