// The bodies and queries of `/v1/channels`. Refuses unknown fields: a channel with a misspelt target would fail
// silently on the day that it is needed.

import * as z from "zod";
import { CHANNEL_EVENTS, type ChannelEvent, hearsAnything, SEVERITIES } from "../../budget/delivery/severity.ts";
import type { ChannelId } from "../../records/channel.ts";
import { mailAddress } from "../../wire/mail-address.ts";
import { isUuid } from "../../wire/uuid.ts";
import { pageCursor, pageSize, reason, shortName, tenantId } from "../fields.ts";

const MAX_ADDRESSES = 50;

export function channelIdFrom(text: string): ChannelId | null {
  return isUuid(text) ? (text as ChannelId) : null;
}

/** The route checks the host by wire/target-url.ts, because the deployment's policy decides which hosts are allowed. */
const url = z.string("must be an https URL").min(1, "must be an https URL").max(2_000);

/** One address or a list, without duplicates. */
const to = z.preprocess(
  (value: unknown) => (typeof value === "string" ? [value] : value),
  z
    .array(mailAddress)
    .min(1)
    .max(MAX_ADDRESSES)
    .transform((addresses) => [...new Set(addresses)]),
);

/** The integration key of a service in PagerDuty. */
const routingKey = z.string().regex(/^[A-Za-z0-9]{32}$/, "must be the 32 letters and digits of an integration key");
/** Null: the default of the channel's owner. */
const events = z
  .array(z.enum(CHANNEL_EVENTS as [ChannelEvent, ...ChannelEvent[]]))
  .min(1)
  .transform((chosen) => [...new Set(chosen)])
  .nullable();

const minSeverity = z.enum(SEVERITIES);

const common = {
  name: shortName,
  /** Null: a channel of the whole platform. */
  tenant_id: tenantId.nullable().default(null),
  enabled: z.boolean().default(true),
  events: events.default(null),
  min_severity: minSeverity.default("info"),
  reason: reason.optional(),
};

export const HEARS_NOTHING = "must leave an event: min_severity is above each of events";

export const newChannelBody = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("slack"), url, ...common }),
    z.strictObject({ kind: z.literal("email"), to, ...common }),
    z.strictObject({ kind: z.literal("webhook"), url, ...common }),
    z.strictObject({ kind: z.literal("pagerduty"), routing_key: routingKey, ...common }),
    z.strictObject({ kind: z.literal("teams"), url, ...common }),
    z.strictObject({ kind: z.literal("discord"), url, ...common }),
  ])
  .refine(({ events, min_severity }) => events?.length === 0 || hearsAnything(events, min_severity), {
    message: HEARS_NOTHING,
    path: ["min_severity"],
  });

export const channelChangeBody = z.strictObject({
  name: shortName.optional(),
  enabled: z.boolean().optional(),
  events: events.optional(),
  min_severity: minSeverity.optional(),
  url: url.optional(),
  to: to.optional(),
  routing_key: routingKey.optional(),
  rotate_secret: z.boolean().optional(),
  reason: reason.optional(),
});

export const channelListQuery = z.strictObject({
  tenant_id: tenantId.optional(),
  cursor: pageCursor.optional(),
  limit: pageSize,
});
