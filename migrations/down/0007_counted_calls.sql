-- Rolls 0007_counted_calls back. The spend stays; what it was counted from is lost, and the next reads show it again.
DROP TABLE "counted_calls";
ALTER TABLE "tenant_spend" DROP CONSTRAINT "tenant_spend_since_not_negative";
ALTER TABLE "tenant_spend" DROP COLUMN "spend_version";
ALTER TABLE "tenant_spend" DROP COLUMN "epoch";
ALTER TABLE "tenant_spend" DROP COLUMN "fence_at";
ALTER TABLE "tenant_spend" DROP COLUMN "doubt_at";
ALTER TABLE "tenant_spend" DROP COLUMN "doubt_value";
ALTER TABLE "tenant_spend" DROP COLUMN "doubt_spend";
ALTER TABLE "tenant_spend" DROP COLUMN "counted_at";
ALTER TABLE "tenant_spend" DROP COLUMN "since";
ALTER TABLE "tenant_spend" DROP COLUMN "base_answered_at";
ALTER TABLE "tenant_spend" DROP COLUMN "base_value";
