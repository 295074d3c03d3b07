-- Takes 0002_overrides away: which ends of overrides were written down is lost with it.
DROP INDEX "idx_audit_log_told";
DROP INDEX "idx_budget_overrides_expiry";
ALTER TABLE "budget_overrides" DROP COLUMN "end_noted_at";
CREATE INDEX "idx_budget_overrides_expiry" ON "budget_overrides" USING btree ("expires_at");
