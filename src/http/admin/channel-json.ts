// A channel as JSON. Never holds the target or the secret in it.

import { iso } from "../../budget/instant.ts";
import type { ChannelRecord } from "../../records/channel.ts";

export function channelJson(channel: ChannelRecord) {
  return {
    id: channel.id,
    tenant_id: channel.tenantId,
    kind: channel.kind,
    name: channel.name,
    target_hint: channel.targetHint,
    enabled: channel.enabled,
    created_at: iso(channel.createdAt),
    updated_at: iso(channel.updatedAt),
  };
}
