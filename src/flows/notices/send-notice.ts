// Sends one recorded alert to one channel. Postgres says whether the notice is still due, a claim in Redis prevents two
// messages from sending it at once, and Postgres records the outcome before the message is acknowledged. After a crash
// at any step the redelivered message continues from there.

import type { Instant } from "../../budget/instant.ts";
import { hasNotice } from "../../notices/copy/event-copy.ts";
import type { LogFields, Ports } from "../../ports/ports.ts";
import type { DeliveryKey, Dispatch } from "../../records/delivery.ts";
import type { PlatformDispatch } from "../../records/platform-alert.ts";
import { withTimeout } from "../waiting.ts";
import { type Attempted, attemptNotice } from "./attempt-notice.ts";
import { DONE, later, type MessageOutcome, recordAttempt, type SendAttempt } from "./record-attempt.ts";
import { decryptTarget } from "./target-cipher.ts";

type Deps = Pick<Ports, "deliveries" | "claims" | "cipher" | "notifier" | "policy" | "deadLetters" | "timers" | "log">;

export interface SendNoticeInput {
  readonly key: DeliveryKey;
  /** The name of the message's queue in this deployment; a dead letter is replayed to it. */
  readonly queue: string;
  /** The queue's id of the message, the same at every delivery: a redelivery passes the claim of its first delivery. */
  readonly messageId: string;
  readonly now: Instant;
}

/** A notice that arrives twice is better than one that waits for Redis. */
const CLAIM_TIMEOUT_MS = 250;

/**
 * The pause while another message is sending. A provider answers within seconds; a crashed sender's claim expires in a
 * minute.
 */
const SENDING_SECONDS = 30;

/** A notice that is due within a second counts as due, because clocks differ. */
const EARLY_MS = 1_000;

/** Retried, because an operator may restore the encryption key or send the target again. */
const UNDECRYPTED: Attempted = {
  outcome: { kind: "failed", why: "the channel's target cannot be decrypted: send it again", retryAfterSeconds: null },
  preview: "",
};

/** @throws Outage when Postgres cannot be reached; the message is then redelivered. */
export async function sendNotice(input: SendNoticeInput, deps: Deps): Promise<MessageOutcome> {
  const { key, queue, messageId, now } = input;
  const dispatch = await deps.deliveries.load(key);
  if (dispatch === null || dispatch.delivery.status !== "pending") return DONE;
  const earlyMs = (dispatch.delivery.nextAttemptAt ?? now) - now;
  // Another message of the same delivery has failed meanwhile, or this message's last delivery crashed before its
  // retry.
  if (earlyMs > EARLY_MS) return later(Math.ceil(earlyMs / 1_000), "the next attempt is not due yet");
  const attempt = { key, queue, messageId, now, attempts: dispatch.delivery.attempts, about: aboutOf(dispatch) };
  if (!dispatch.channel.enabled) {
    await deps.deliveries.end(key, { status: "skipped", error: "the channel is disabled", at: now });
    return DONE;
  }
  if ("alert" in dispatch && !hasNotice(dispatch.alert)) {
    await deps.deliveries.end(key, { status: "skipped", error: "its event type has no notices", at: now });
    return DONE;
  }
  const claim = await claimNotice(attempt, deps);
  if (claim === "sending") return later(SENDING_SECONDS, "another message is sending it");
  if (claim === "sent") {
    await deps.deliveries.end(key, { status: "sent", error: null, at: now });
    return DONE;
  }
  const target = await decryptTarget(dispatch.channel, deps);
  const offer = { notice: dispatch, noticeId: noticeIdOf(key), about: attempt.about, now };
  const offered = target === null ? UNDECRYPTED : await attemptNotice({ ...offer, target }, deps);
  if (claim === "claimed" && offered.outcome.kind !== "sent") await releaseNotice(attempt, deps);
  return recordAttempt(attempt, offered, deps);
}

/** The id by which receivers and providers dedupe, the same at every attempt: `notice_12_3`. */
function noticeIdOf({ alertId, channelId }: DeliveryKey): string {
  return `notice_${alertId}_${channelId}`;
}

/** `unclaimed` when Redis does not answer in time: the notice is then sent without a claim, and may arrive twice. */
async function claimNotice({ key, messageId, about }: SendAttempt, deps: Deps) {
  const claim = await withTimeout(deps.claims.claimNotice(key, messageId), CLAIM_TIMEOUT_MS, deps);
  if (claim.kind === "done") return claim.value;
  const error = claim.kind === "slow" ? new Error("Redis is slow") : claim.error;
  deps.log.error("notice claim failed", error, about);
  return "unclaimed";
}

/** Frees the notice for the next attempt. When this fails, the claim expires by itself. */
async function releaseNotice({ key, about }: SendAttempt, { claims, log }: Deps): Promise<void> {
  try {
    await claims.releaseNotice(key);
  } catch (cause) {
    log.error("notice claim release failed", cause, about);
  }
}

function aboutOf(dispatch: Dispatch | PlatformDispatch): LogFields {
  const { delivery, channel } = dispatch;
  return {
    alert_id: delivery.alertId,
    channel_id: delivery.channelId,
    channel_kind: channel.kind,
    ...("platformAlert" in dispatch
      ? { event_type: `platform_${dispatch.platformAlert.kind}` }
      : { tenant_id: dispatch.alert.tenantId, event_type: dispatch.alert.eventType }),
  };
}
