// A channel as JSON. Never holds the target or the secret in it.

import { iso } from "../../budget/instant.ts";
import type { ChannelRecord } from "../../records/channel.ts";
import { isoOrNull } from "../json-instant.ts";

export function channelJson(channel: ChannelRecord) {
  return {
    id: channel.id,
    tenant_id: channel.tenantId,
    kind: channel.kind,
    name: channel.name,
    target_hint: channel.targetHint,
    enabled: channel.enabled,
    events: channel.events,
    min_severity: channel.minSeverity,
    last_error: channel.lastError,
    last_error_at: isoOrNull(channel.lastErrorAt),
    broken_since: isoOrNull(channel.brokenSince),
    config_version: channel.version,
    created_at: iso(channel.createdAt),
    updated_at: iso(channel.updatedAt),
  };
}
