CREATE SEQUENCE "public"."config_revision" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"tenant_id" text,
	"request_id" text,
	"before" jsonb,
	"after" jsonb,
	"detail" jsonb
);
--> statement-breakpoint
CREATE TABLE "budget_alert_history" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"identity" text NOT NULL,
	"event_type" text NOT NULL,
	"threshold" numeric(6, 2),
	"spend" numeric(24, 9) NOT NULL,
	"max_budget" numeric(24, 9) NOT NULL,
	"percentage" numeric(30, 2),
	"period_started_at" timestamp (3) with time zone NOT NULL,
	"limit_version" integer NOT NULL,
	"occurrence" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "budget_alert_history_identity_unique" UNIQUE("identity"),
	CONSTRAINT "budget_alert_history_spend_not_negative" CHECK ("budget_alert_history"."spend" >= 0 and "budget_alert_history"."spend" <> 'NaN'),
	CONSTRAINT "budget_alert_history_max_budget_not_negative" CHECK ("budget_alert_history"."max_budget" >= 0 and "budget_alert_history"."max_budget" <> 'NaN'),
	CONSTRAINT "budget_alert_history_percentage_not_negative" CHECK ("budget_alert_history"."percentage" >= 0 and "budget_alert_history"."percentage" <> 'NaN'),
	CONSTRAINT "budget_alert_history_occurrence_not_negative" CHECK ("budget_alert_history"."occurrence" >= 0)
);
--> statement-breakpoint
CREATE TABLE "budget_overrides" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"override_amount" numeric(24, 9) NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"reason" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp (3) with time zone,
	"revoked_by" text,
	CONSTRAINT "budget_overrides_override_amount_positive" CHECK ("budget_overrides"."override_amount" > 0 and "budget_overrides"."override_amount" <> 'NaN'),
	CONSTRAINT "budget_overrides_expires_after_creation" CHECK ("budget_overrides"."expires_at" > "budget_overrides"."created_at")
);
--> statement-breakpoint
CREATE TABLE "dead_letters" (
	"id" uuid PRIMARY KEY NOT NULL,
	"queue" text NOT NULL,
	"message_id" text NOT NULL,
	"body" jsonb NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"error" text,
	"recorded_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"replayed_at" timestamp (3) with time zone,
	"replayed_by" text,
	CONSTRAINT "dead_letters_message_unique" UNIQUE("queue","message_id"),
	CONSTRAINT "dead_letters_attempts_not_negative" CHECK ("dead_letters"."attempts" >= 0)
);
--> statement-breakpoint
CREATE TABLE "notice_deliveries" (
	"alert_id" uuid NOT NULL,
	"channel_id" uuid NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp (3) with time zone,
	"last_error" text,
	"sent_at" timestamp (3) with time zone,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "notice_deliveries_pkey" PRIMARY KEY("alert_id","channel_id"),
	CONSTRAINT "notice_deliveries_status_known" CHECK ("notice_deliveries"."status" in ('pending', 'sent', 'skipped', 'failed')),
	CONSTRAINT "notice_deliveries_attempts_not_negative" CHECK ("notice_deliveries"."attempts" >= 0)
);
--> statement-breakpoint
CREATE TABLE "notification_channels" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" text,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"sealed_target" text NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "notification_channels_kind_known" CHECK ("notification_channels"."kind" in ('slack', 'email', 'webhook'))
);
--> statement-breakpoint
CREATE TABLE "tenant_configs" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"name" text,
	"subject_kind" text NOT NULL,
	"subject_id" text NOT NULL,
	"max_budget" numeric(24, 9) DEFAULT '500.00' NOT NULL,
	"alert_threshold" numeric(6, 2) DEFAULT '80' NOT NULL,
	"grace_threshold" numeric(6, 2) DEFAULT '110' NOT NULL,
	"budget_duration" text DEFAULT '30d',
	"budget_reset_at" timestamp (3) with time zone,
	"litellm_key_last_reset" timestamp (3) with time zone,
	"subject_created_at" timestamp (3) with time zone NOT NULL,
	"config_version" integer DEFAULT 1 NOT NULL,
	"revision" bigint DEFAULT nextval('config_revision') NOT NULL,
	"enforcement" text DEFAULT 'enforce' NOT NULL,
	"fail_policy" text,
	"suspended_at" timestamp (3) with time zone,
	"deleted_at" timestamp (3) with time zone,
	"adopted" boolean DEFAULT false NOT NULL,
	"prior_values" jsonb,
	"sealed_key" text,
	"litellm_sync" text DEFAULT 'pending' NOT NULL,
	"litellm_sync_error" text,
	"litellm_sync_since" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"litellm_sync_tried_at" timestamp (3) with time zone,
	"litellm_sync_tries" integer DEFAULT 0 NOT NULL,
	"litellm_budget_id" text,
	"litellm_has_set_limits" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "tenant_configs_subject_unique" UNIQUE("subject_kind","subject_id"),
	CONSTRAINT "tenant_configs_subject_kind_known" CHECK ("tenant_configs"."subject_kind" in ('key', 'team')),
	CONSTRAINT "tenant_configs_max_budget_not_negative" CHECK ("tenant_configs"."max_budget" >= 0 and "tenant_configs"."max_budget" <> 'NaN'),
	CONSTRAINT "tenant_configs_alert_threshold_range" CHECK ("tenant_configs"."alert_threshold" between 50 and 100),
	CONSTRAINT "tenant_configs_grace_threshold_range" CHECK ("tenant_configs"."grace_threshold" between 100 and 150),
	CONSTRAINT "tenant_configs_budget_duration_format" CHECK ("tenant_configs"."budget_duration" ~ '^[1-9][0-9]*(s|m|h|d|w|mo)$'),
	CONSTRAINT "tenant_configs_config_version_positive" CHECK ("tenant_configs"."config_version" >= 1),
	CONSTRAINT "tenant_configs_enforcement_known" CHECK ("tenant_configs"."enforcement" in ('enforce', 'observe')),
	CONSTRAINT "tenant_configs_fail_policy_known" CHECK ("tenant_configs"."fail_policy" in ('open', 'closed')),
	CONSTRAINT "tenant_configs_litellm_sync_known" CHECK ("tenant_configs"."litellm_sync" in ('synced', 'pending'))
);
--> statement-breakpoint
CREATE TABLE "tenant_keys" (
	"key_hash" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "tenant_keys_key_hash_format" CHECK ("tenant_keys"."key_hash" ~ '^[0-9a-f]{64}$')
);
--> statement-breakpoint
CREATE TABLE "tenant_spend" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"spend" numeric(24, 9) NOT NULL,
	"observed_at" timestamp (3) with time zone NOT NULL,
	"read_at" timestamp (3) with time zone,
	"source" text NOT NULL,
	"period_started_at" timestamp (3) with time zone NOT NULL,
	"resets_at" timestamp (3) with time zone,
	"burn_per_second" numeric(24, 9) DEFAULT '0' NOT NULL,
	CONSTRAINT "tenant_spend_spend_not_negative" CHECK ("tenant_spend"."spend" >= 0 and "tenant_spend"."spend" <> 'NaN'),
	CONSTRAINT "tenant_spend_burn_per_second_not_negative" CHECK ("tenant_spend"."burn_per_second" >= 0 and "tenant_spend"."burn_per_second" <> 'NaN'),
	CONSTRAINT "tenant_spend_source_known" CHECK ("tenant_spend"."source" in ('litellm', 'webhook', 'events', 'gate'))
);
--> statement-breakpoint
ALTER TABLE "budget_alert_history" ADD CONSTRAINT "budget_alert_history_tenant_id_tenant_configs_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenant_configs"("tenant_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "budget_overrides" ADD CONSTRAINT "budget_overrides_tenant_id_tenant_configs_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenant_configs"("tenant_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_alert_id_budget_alert_history_id_fk" FOREIGN KEY ("alert_id") REFERENCES "public"."budget_alert_history"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_channel_id_notification_channels_id_fk" FOREIGN KEY ("channel_id") REFERENCES "public"."notification_channels"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notification_channels" ADD CONSTRAINT "notification_channels_tenant_id_tenant_configs_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenant_configs"("tenant_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tenant_keys" ADD CONSTRAINT "tenant_keys_tenant_id_tenant_configs_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenant_configs"("tenant_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tenant_spend" ADD CONSTRAINT "tenant_spend_tenant_id_tenant_configs_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenant_configs"("tenant_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_audit_log_tenant" ON "audit_log" USING btree ("tenant_id","id");--> statement-breakpoint
CREATE INDEX "idx_budget_alerts_tenant" ON "budget_alert_history" USING btree ("tenant_id","created_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "idx_budget_alerts_created" ON "budget_alert_history" USING btree ("created_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "idx_budget_overrides_tenant" ON "budget_overrides" USING btree ("tenant_id","expires_at");--> statement-breakpoint
CREATE INDEX "idx_budget_overrides_expiry" ON "budget_overrides" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "idx_dead_letters_recorded" ON "dead_letters" USING btree ("recorded_at" DESC NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "idx_notice_deliveries_pending" ON "notice_deliveries" USING btree ("next_attempt_at") WHERE "notice_deliveries"."status" = 'pending';--> statement-breakpoint
CREATE INDEX "idx_notice_deliveries_channel" ON "notice_deliveries" USING btree ("channel_id");--> statement-breakpoint
CREATE INDEX "idx_notification_channels_tenant" ON "notification_channels" USING btree ("tenant_id");--> statement-breakpoint
CREATE INDEX "idx_tenant_configs_reset" ON "tenant_configs" USING btree ("budget_reset_at");--> statement-breakpoint
CREATE INDEX "idx_tenant_configs_sync_pending" ON "tenant_configs" USING btree ("litellm_sync_tried_at" NULLS FIRST,"litellm_sync_since") WHERE "tenant_configs"."litellm_sync" = 'pending';--> statement-breakpoint
CREATE INDEX "idx_tenant_keys_tenant" ON "tenant_keys" USING btree ("tenant_id");--> statement-breakpoint
CREATE INDEX "idx_tenant_spend_read" ON "tenant_spend" USING btree ("read_at" NULLS FIRST);