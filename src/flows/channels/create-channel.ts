// An administrator adds a channel for one tenant or for the platform. Postgres stores its target only encrypted.

import type { Ports } from "../../ports/ports.ts";
import { type Result, success } from "../../ports/result.ts";
import type { ChannelRecord, ChannelTarget, NewChannel } from "../../records/channel.ts";
import type { Actor } from "../../records/tenant.ts";
import { encryptTarget } from "../notices/target-cipher.ts";

export interface CreateChannelInput
  extends Pick<NewChannel, "tenantId" | "name" | "enabled" | "events" | "minSeverity"> {
  readonly target: ChannelTarget;
  readonly actor: Actor;
  /** False when an earlier request of the same operation may have shown the secret. */
  readonly isUnanswered: boolean;
}

export interface CreatedChannel {
  readonly channel: ChannelRecord;
  /** To show once; null for a kind without one, and for one that an earlier request may have shown. */
  readonly secret: string | null;
}

/** The new channel, or that of an earlier request of the same operation. @throws when Postgres cannot be reached. */
export async function createChannel(
  { target, actor, isUnanswered, ...settings }: CreateChannelInput,
  deps: Pick<Ports, "channels" | "cipher">,
): Promise<Result<CreatedChannel, "tenant_not_found" | "other_body">> {
  const encrypted = await encryptTarget(target, deps);
  const created = await deps.channels.create({ ...settings, kind: target.kind, ...encrypted }, actor);
  if (!created.ok) return created;
  const { value: found } = created;
  if (target.kind !== "webhook") return success({ channel: found, secret: null });
  const { secret } = target;
  if (found.encryptedTarget === encrypted.encryptedTarget) return success({ channel: found, secret });
  // The secret of an earlier request without an answer was never shown, unless it was rotated since.
  const isUnshown = isUnanswered && found.updatedAt === found.createdAt;
  const channel = isUnshown ? await deps.channels.change(found.id, encrypted, actor) : null;
  return success(channel === null ? { channel: found, secret: null } : { channel, secret });
}
