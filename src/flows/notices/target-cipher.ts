// Encrypts and decrypts the target of a channel, and derives the hint that a list may show. Never logs a target, nor
// the parser's error, which would quote it.

import type { Ports } from "../../ports/ports.ts";
import type { ChannelRecord, ChannelTarget, NewChannel } from "../../records/channel.ts";

/** Null when the target cannot be decrypted, or does not match the kind of the channel. */
export async function decryptTarget(
  { id, kind, encryptedTarget }: Pick<ChannelRecord, "id" | "kind" | "encryptedTarget">,
  { cipher, log }: Pick<Ports, "cipher" | "log">,
): Promise<ChannelTarget | null> {
  try {
    const target = targetFrom(await cipher.decrypt(encryptedTarget));
    if (target?.kind === kind) return target;
    log.error("decrypted target does not match the channel kind", null, { channel_id: id });
  } catch (cause) {
    log.error("target decryption failed", cause, { channel_id: id });
  }
  return null;
}

function targetFrom(text: string): ChannelTarget | null {
  const { kind, url, to, secret, routingKey } = fieldsFrom(text);
  if ((kind === "slack" || kind === "teams" || kind === "discord") && isText(url)) return { kind, url };
  if (kind === "email" && Array.isArray(to) && to.length > 0 && to.every(isText)) return { kind, to };
  if (kind === "webhook" && isText(url) && isText(secret)) return { kind, url, secret };
  if (kind === "pagerduty" && isText(routingKey)) return { kind, routingKey };
  return null;
}

/** Empty when the text is no JSON object. Swallows the parser's error, which would quote the target. */
function fieldsFrom(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

const PAGERDUTY_HOST = "events.pagerduty.com";

export async function encryptTarget(
  target: ChannelTarget,
  { cipher }: Pick<Ports, "cipher">,
): Promise<Pick<NewChannel, "encryptedTarget" | "targetHint">> {
  return { encryptedTarget: await cipher.encrypt(JSON.stringify(target)), targetHint: hintOf(target) };
}

/**
 * Host or mail domain only: the path of a webhook's URL and a routing key are secrets, and the name before the @ is
 * personal.
 */
function hintOf(target: ChannelTarget): string {
  if (target.kind === "pagerduty") return PAGERDUTY_HOST;
  if (target.kind !== "email") return new URL(target.url).host;
  const domains = target.to.map((address) => address.slice(address.lastIndexOf("@") + 1).toLowerCase());
  return [...new Set(domains)].map((domain) => `…@${domain}`).join(", ");
}
