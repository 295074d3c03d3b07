-- Rolls 0009_channel_kinds back. Deletes the channels of its kinds and their deliveries; the audit lines stay.
DELETE FROM "notification_channels" WHERE "kind" in ('pagerduty', 'teams', 'discord');
ALTER TABLE "notification_channels" DROP CONSTRAINT "notification_channels_kind_known";
ALTER TABLE "notification_channels" ADD CONSTRAINT "notification_channels_kind_known" CHECK ("notification_channels"."kind" in ('slack', 'email', 'webhook'));
