// What an administrator may send about a channel. Unknown fields are refused: a channel whose target was misspelt would
// be found silent on the day that it is needed.

import * as z from "zod/mini";
import type { ChannelId } from "../../records/channel.ts";
import { isUuid } from "../../wire/uuid.ts";
import { pageCursor, pageSize, shortName, tenantId } from "../fields.ts";

const MAX_ADDRESSES = 50;

/** The longest address that mail can be delivered to. */
const MAX_ADDRESS_LENGTH = 254;

export function channelIdFrom(text: string): ChannelId | null {
  return isUuid(text) ? (text as ChannelId) : null;
}

/** Where it may lead is for the deployment to say, and is asked at the route. */
const url = z.string().check(z.minLength(1), z.maxLength(2_000));

/** One address or a list; the same one twice is once. */
const to = z.pipe(
  z.transform((value: unknown) => (typeof value === "string" ? [value] : value)),
  z.pipe(
    z.array(z.email().check(z.maxLength(MAX_ADDRESS_LENGTH))).check(z.minLength(1), z.maxLength(MAX_ADDRESSES)),
    z.transform((addresses: string[]) => [...new Set(addresses)]),
  ),
);

const common = {
  name: shortName,
  /** Null: the whole platform's. */
  tenant_id: z._default(z.nullable(tenantId), null),
  enabled: z._default(z.boolean(), true),
};

export const newChannelBody = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("slack"), url, ...common }),
  z.strictObject({ kind: z.literal("email"), to, ...common }),
  z.strictObject({ kind: z.literal("webhook"), url, ...common }),
]);

export const channelChangeBody = z.strictObject({
  name: z.optional(shortName),
  enabled: z.optional(z.boolean()),
  url: z.optional(url),
  to: z.optional(to),
  rotate_secret: z.optional(z.boolean()),
});

export const channelListQuery = z.strictObject({
  tenant_id: z.optional(tenantId),
  cursor: z.optional(pageCursor),
  limit: pageSize,
});
