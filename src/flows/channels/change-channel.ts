// An administrator changes a channel. When two administrators change a target at once, the last write wins as a whole,
// so that no URL is left with the other one's secret.

import { hearsAnything } from "../../budget/delivery/severity.ts";
import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { ChannelChange, ChannelId, ChannelKind, ChannelRecord, ChannelTarget } from "../../records/channel.ts";
import type { Actor } from "../../records/tenant.ts";
import { decryptTarget, encryptTarget } from "../notices/target-cipher.ts";

/** The parts of a target that the change names. */
export interface RequestedTarget {
  readonly url?: string;
  readonly to?: readonly string[];
  /** Replaces the present signing secret. */
  readonly secret?: string;
  readonly routingKey?: string;
}

export interface ChangeChannelInput {
  readonly channelId: ChannelId;
  readonly change: Pick<ChannelChange, "name" | "enabled" | "events" | "minSeverity">;
  readonly target: RequestedTarget;
  readonly actor: Actor;
}

type ChannelNotChanged =
  | { readonly kind: "channel_not_found" }
  /** Another change came first. */
  | { readonly kind: "other_version" };

export type ChangeChannelFailure =
  | ChannelNotChanged
  /** The request names a part that a channel of this kind does not have. */
  | {
      readonly kind: "foreign_part";
      readonly parts: readonly (keyof RequestedTarget)[];
      readonly channelKind: ChannelKind;
    }
  /** `min_severity` would be above each of the events. */
  | { readonly kind: "hears_nothing" }
  /** The change keeps a part of the present target, which cannot be decrypted. */
  | { readonly kind: "target_unreadable" };

const PARTS: Readonly<Record<ChannelKind, readonly (keyof RequestedTarget)[]>> = {
  slack: ["url"],
  email: ["to"],
  webhook: ["url", "secret"],
  pagerduty: ["routingKey"],
  teams: ["url"],
  discord: ["url"],
};

type Deps = Pick<Ports, "channels" | "cipher" | "log">;

/** @throws when Postgres cannot be reached. */
export async function changeChannel(
  { channelId, change, target, actor }: ChangeChannelInput,
  deps: Deps,
): Promise<Result<ChannelRecord, ChangeChannelFailure>> {
  const present = await deps.channels.load(channelId);
  if (present === null) return failure({ kind: "channel_not_found" });
  const desired = (Object.keys(target) as (keyof RequestedTarget)[]).filter((part) => target[part] !== undefined);
  const foreign = desired.filter((part) => !PARTS[present.kind].includes(part));
  if (foreign.length > 0) return failure({ kind: "foreign_part", parts: foreign, channelKind: present.kind });
  const { events, minSeverity } = { ...present, ...change };
  if (!hearsAnything(events, minSeverity)) return failure({ kind: "hears_nothing" });
  const wanted = desired.length === 0 ? null : await wantedTarget(present, target, deps);
  if (wanted === "unreadable") return failure({ kind: "target_unreadable" });
  const encrypted = wanted === null ? {} : await encryptTarget(wanted, deps);
  const changed = await deps.channels.change(channelId, { ...change, ...encrypted }, actor);
  if (changed !== null) return success(changed);
  return failure(await whyNotChanged(channelId, actor, deps));
}

/** @throws when Postgres cannot be reached. */
export async function removeChannel(
  { channelId, actor }: Pick<ChangeChannelInput, "channelId" | "actor">,
  deps: Pick<Deps, "channels">,
): Promise<Result<null, ChannelNotChanged>> {
  return (await deps.channels.remove(channelId, actor))
    ? success(null)
    : failure(await whyNotChanged(channelId, actor, deps));
}

/** The statement that locks the channel changed nothing: it is gone, or has another version. */
async function whyNotChanged(
  channelId: ChannelId,
  { operation }: Actor,
  { channels }: Pick<Deps, "channels">,
): Promise<ChannelNotChanged> {
  const isThere = operation.ifVersion !== undefined && (await channels.load(channelId)) !== null;
  return { kind: isThere ? "other_version" : "channel_not_found" };
}

/** Decrypts the present target only when the change keeps a part of it. */
async function wantedTarget(
  present: ChannelRecord,
  { url, to, secret, routingKey }: RequestedTarget,
  deps: Deps,
): Promise<ChannelTarget | "unreadable"> {
  const { kind } = present;
  if (kind !== "webhook" && kind !== "email" && kind !== "pagerduty" && url !== undefined) return { kind, url };
  if (kind === "email" && to !== undefined) return { kind, to };
  if (kind === "pagerduty" && routingKey !== undefined) return { kind, routingKey };
  if (url !== undefined && secret !== undefined) return { kind: "webhook", url, secret };
  const decrypted = await decryptTarget(present, deps);
  if (decrypted?.kind !== "webhook") return "unreadable";
  return { kind: "webhook", url: url ?? decrypted.url, secret: secret ?? decrypted.secret };
}
