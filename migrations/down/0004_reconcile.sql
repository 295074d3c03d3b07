-- Takes 0004_reconcile away, with what people of the platform were told and the notices of it. Leases are forgotten.
DELETE FROM "notice_deliveries" WHERE "alert_id" IS NULL;
ALTER TABLE "notice_deliveries" DROP CONSTRAINT "notice_deliveries_of_one_alert";
ALTER TABLE "notice_deliveries" DROP CONSTRAINT "notice_deliveries_platform_alert_unique";
ALTER TABLE "notice_deliveries" DROP CONSTRAINT "notice_deliveries_alert_unique";
ALTER TABLE "notice_deliveries" DROP COLUMN "platform_alert_id";
ALTER TABLE "notice_deliveries" ALTER COLUMN "alert_id" SET NOT NULL;
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_pkey" PRIMARY KEY("alert_id","channel_id");
ALTER TABLE "tenant_configs" DROP COLUMN "read_leased_until";
DROP TABLE "platform_alerts";
