// Where a channel's notices go, into its seal, and as much of it as a list may show. Never logs a target.

import type { Ports } from "../ports/ports.ts";
import type { ChannelTarget, NewChannel } from "../records/alert-record.ts";

export async function sealTarget(
  target: ChannelTarget,
  { sealer }: Pick<Ports, "sealer">,
): Promise<Pick<NewChannel, "sealedTarget" | "targetHint">> {
  return { sealedTarget: await sealer.seal(JSON.stringify(target)), targetHint: hintOf(target) };
}

/** The path of a webhook's URL is its secret, and the name before the @ is a person's. */
function hintOf(target: ChannelTarget): string {
  if (target.kind !== "email") return new URL(target.url).host;
  const domains = target.to.map((address) => address.slice(address.lastIndexOf("@") + 1).toLowerCase());
  return [...new Set(domains)].map((domain) => `…@${domain}`).join(", ");
}
