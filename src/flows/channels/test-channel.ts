// Sends a test notice through a channel at once, so that whoever asked sees what the provider says. Goes past the queue
// and leaves no delivery behind; also a disabled channel can be tested, which is how one is tried before it counts.

import type { Instant } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { ChannelId, SendOutcome } from "../../records/alert-record.ts";
import { offerNotice } from "../notices/offer-notice.ts";
import { decryptTarget } from "../notices/target.ts";

export interface TestChannelInput {
  readonly channelId: ChannelId;
  /** Of this one test: receivers dedupe by it, so no two tests may share it. */
  readonly testId: string;
  readonly now: Instant;
}

/** Null when there is no such channel. @throws when Postgres cannot be reached. */
export async function testChannel(
  { channelId, testId, now }: TestChannelInput,
  deps: Pick<Ports, "channels" | "cipher" | "notifier" | "log">,
): Promise<SendOutcome | null> {
  const channel = await deps.channels.load(channelId);
  if (channel === null) return null;
  const target = await decryptTarget(channel, deps);
  if (target === null) return { kind: "rejected", why: "the channel's target cannot be opened: set it anew" };
  const { name: channelName, tenantId } = channel;
  const notice = { test: { id: testId, channelName, tenantId, requestedAt: now } };
  const { outcome } = await offerNotice(
    { notice, target, noticeId: testId, about: { channel_id: channelId }, now },
    deps,
  );
  return outcome;
}
