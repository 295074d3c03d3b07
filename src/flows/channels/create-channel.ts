// An administrator adds a channel for one tenant or for the platform. Postgres stores its target only encrypted.

import type { Ports } from "../../ports/ports.ts";
import type { Result } from "../../ports/result.ts";
import type { ChannelRecord, ChannelTarget, NewChannel } from "../../records/channel.ts";
import type { Actor } from "../../records/tenant.ts";
import { encryptTarget } from "../notices/target-cipher.ts";

export interface CreateChannelInput extends Pick<NewChannel, "tenantId" | "name" | "enabled"> {
  readonly target: ChannelTarget;
  readonly actor: Actor;
}

/** @throws when Postgres cannot be reached. */
export async function createChannel(
  { tenantId, name, enabled, target, actor }: CreateChannelInput,
  deps: Pick<Ports, "channels" | "cipher">,
): Promise<Result<ChannelRecord, "tenant_not_found">> {
  const encrypted = await encryptTarget(target, deps);
  return deps.channels.create({ tenantId, kind: target.kind, name, enabled, ...encrypted }, actor);
}
