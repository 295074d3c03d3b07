DROP INDEX "idx_budget_overrides_expiry";--> statement-breakpoint
ALTER TABLE "budget_overrides" ADD COLUMN "end_noted_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "idx_audit_log_told" ON "audit_log" USING btree ("at") WHERE "audit_log"."action" in ('override_granted', 'override_revoked', 'override_ended', 'tenant_suspended', 'tenant_resumed');--> statement-breakpoint
CREATE INDEX "idx_budget_overrides_expiry" ON "budget_overrides" USING btree ("expires_at") WHERE "budget_overrides"."end_noted_at" is null;