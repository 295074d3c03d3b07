// Where a channel's notices go: into its seal, out of it, and as much of it as a list may show. Never logs a target, nor
// what was wrong with one.

import type { Ports } from "../../ports/ports.ts";
import type { ChannelRecord, ChannelTarget, NewChannel } from "../../records/alert-record.ts";

/** Null when it cannot be opened, or holds no target of this kind of channel. */
export async function decryptTarget(
  { id, kind, encryptedTarget }: Pick<ChannelRecord, "id" | "kind" | "encryptedTarget">,
  { cipher, log }: Pick<Ports, "cipher" | "log">,
): Promise<ChannelTarget | null> {
  try {
    const target = targetFrom(await cipher.open(encryptedTarget));
    if (target?.kind === kind) return target;
    log.error("a sealed target is none", null, { channel_id: id });
  } catch (cause) {
    log.error("a sealed target could not be opened", cause, { channel_id: id });
  }
  return null;
}

function targetFrom(text: string): ChannelTarget | null {
  const { kind, url, to, secret } = fieldsFrom(text);
  if (kind === "slack" && isText(url)) return { kind, url };
  if (kind === "email" && Array.isArray(to) && to.length > 0 && to.every(isText)) return { kind, to };
  if (kind === "webhook" && isText(url) && isText(secret)) return { kind, url, secret };
  return null;
}

/** None when it is no object. The parser's own error would quote it. */
function fieldsFrom(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

export async function encryptTarget(
  target: ChannelTarget,
  { cipher }: Pick<Ports, "cipher">,
): Promise<Pick<NewChannel, "encryptedTarget" | "targetHint">> {
  return { encryptedTarget: await cipher.encrypt(JSON.stringify(target)), targetHint: hintOf(target) };
}

/** The path of a webhook's URL is its secret, and the name before the @ is a person's. */
function hintOf(target: ChannelTarget): string {
  if (target.kind !== "email") return new URL(target.url).host;
  const domains = target.to.map((address) => address.slice(address.lastIndexOf("@") + 1).toLowerCase());
  return [...new Set(domains)].map((domain) => `…@${domain}`).join(", ");
}
