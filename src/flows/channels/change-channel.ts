// An administrator changes a channel. Of two who change a target at once the last one wins, whole: nobody's URL is ever
// left with another's secret.

import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type {
  ChannelChange,
  ChannelId,
  ChannelKind,
  ChannelRecord,
  ChannelTarget,
} from "../../records/alert-record.ts";
import type { Actor } from "../../records/tenant-record.ts";
import { openTarget, sealTarget } from "../notices/target.ts";

/** The parts of a target that the change names, and no others. */
export interface TargetWish {
  readonly url?: string;
  readonly to?: readonly string[];
  /** A signing secret in place of the present one. */
  readonly secret?: string;
}

export interface ChangeChannelInput {
  readonly channelId: ChannelId;
  readonly change: Pick<ChannelChange, "name" | "enabled">;
  readonly target: TargetWish;
  readonly actor: Actor;
}

export type ChangeChannelFailure =
  | { readonly kind: "channel_not_found" }
  /** A channel of this kind has no such part. */
  | { readonly kind: "foreign_part"; readonly parts: readonly (keyof TargetWish)[]; readonly channelKind: ChannelKind }
  /** What the change leaves as it is cannot be opened any more. */
  | { readonly kind: "target_unreadable" };

const PARTS: Readonly<Record<ChannelKind, readonly (keyof TargetWish)[]>> = {
  slack: ["url"],
  email: ["to"],
  webhook: ["url", "secret"],
};

type Deps = Pick<Ports, "channels" | "sealer" | "log">;

/** @throws when Postgres cannot be reached. */
export async function changeChannel(
  { channelId, change, target, actor }: ChangeChannelInput,
  deps: Deps,
): Promise<Result<ChannelRecord, ChangeChannelFailure>> {
  const present = await deps.channels.load(channelId);
  if (present === null) return failure({ kind: "channel_not_found" });
  const wished = (Object.keys(target) as (keyof TargetWish)[]).filter((part) => target[part] !== undefined);
  const foreign = wished.filter((part) => !PARTS[present.kind].includes(part));
  if (foreign.length > 0) return failure({ kind: "foreign_part", parts: foreign, channelKind: present.kind });
  const wanted = wished.length === 0 ? null : await wantedTarget(present, target, deps);
  if (wanted === "unreadable") return failure({ kind: "target_unreadable" });
  const sealed = wanted === null ? {} : await sealTarget(wanted, deps);
  const changed = await deps.channels.change(channelId, { ...change, ...sealed }, actor);
  return changed === null ? failure({ kind: "channel_not_found" }) : success(changed);
}

/** The present target is opened only where the change leaves a part of it. */
async function wantedTarget(
  present: ChannelRecord,
  { url, to, secret }: TargetWish,
  deps: Deps,
): Promise<ChannelTarget | "unreadable"> {
  if (present.kind === "slack" && url !== undefined) return { kind: "slack", url };
  if (present.kind === "email" && to !== undefined) return { kind: "email", to };
  if (url !== undefined && secret !== undefined) return { kind: "webhook", url, secret };
  const opened = await openTarget(present, deps);
  if (opened?.kind !== "webhook") return "unreadable";
  return { kind: "webhook", url: url ?? opened.url, secret: secret ?? opened.secret };
}
