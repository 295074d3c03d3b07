// Sends a test notice through a channel at once, so that the administrator sees the provider's answer. Bypasses the
// queue and records no delivery. A disabled channel can be tested too, before it is enabled.

import type { Instant } from "../../budget/instant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { ChannelId, ChannelRecord } from "../../records/channel.ts";
import type { SendOutcome } from "../../records/delivery.ts";
import { attemptNotice } from "../notices/attempt-notice.ts";
import { decryptTarget } from "../notices/target-cipher.ts";

export interface TestChannelInput {
  readonly channelId: ChannelId;
  /** Unique per test, because receivers dedupe by it. */
  readonly testId: string;
  readonly now: Instant;
}

/** Null when there is no such channel. @throws when Postgres cannot be reached. */
export async function testChannel(
  { channelId, testId, now }: TestChannelInput,
  deps: Pick<Ports, "channels" | "cipher" | "notifier" | "policy" | "log">,
): Promise<SendOutcome | null> {
  const channel = await deps.channels.load(channelId);
  if (channel === null) return null;
  const target = await decryptTarget(channel, deps);
  if (target === null) return { kind: "rejected", why: "the channel's target cannot be decrypted: send it again" };
  const { name: channelName, tenantId } = channel;
  const notice = { test: { id: testId, channelName, tenantId, requestedAt: now } };
  const { outcome } = await attemptNotice(
    { notice, target, noticeId: testId, about: { channel_id: channelId }, now },
    deps,
  );
  if (outcome.kind === "sent") await noteSent(channel, deps);
  return outcome;
}

/** Never fails: the notice was sent, whatever Postgres says by then. */
async function noteSent(channel: ChannelRecord, { channels, log }: Pick<Ports, "channels" | "log">): Promise<void> {
  try {
    await channels.noteSent(channel);
  } catch (cause) {
    log.error("sent test notice not recorded", cause, { channel_id: channel.id });
  }
}
