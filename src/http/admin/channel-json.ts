// A channel on the wire: never its target, nor the secret in it.

import { iso } from "../../budget/instant.ts";
import type { ChannelRecord } from "../../records/alert-record.ts";

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
