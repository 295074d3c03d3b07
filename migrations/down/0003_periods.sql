-- Takes 0003_periods away: periods that nobody was told of yet stay untold.
DROP INDEX "idx_tenant_configs_unannounced";
ALTER TABLE "tenant_configs" DROP COLUMN "period_close_tried_at";
ALTER TABLE "tenant_configs" DROP COLUMN "period_announced";
