-- Rolls 0010_api_versions back. Forgets the tenants' metadata, and the versions that If-Match compares.
ALTER TABLE "notification_channels" DROP COLUMN "version";
ALTER TABLE "tenant_configs" DROP COLUMN "metadata";
ALTER TABLE "tenant_configs" DROP COLUMN "settings_version";
