// One recorded alert to one channel. Postgres says whether it is still to be sent, Redis keeps two messages from sending
// it at once, and what came of it is written down before the message goes. A crash at any step leaves a message that
// finds where the last one stopped.

import type { Instant } from "../../budget/tenant.ts";
import type { LogFields, Ports } from "../../ports/ports.ts";
import type { DeliveryKey, Dispatch, PlatformDispatch } from "../../records/alert-record.ts";
import { withTimeout } from "../waiting.ts";
import { type Offered, offerNotice } from "./offer-notice.ts";
import { DONE, later, type NoticeEnd, type SendAttempt, settleNotice } from "./settle-notice.ts";
import { decryptTarget } from "./target.ts";

type Deps = Pick<Ports, "deliveries" | "claims" | "cipher" | "notifier" | "deadLetters" | "timers" | "log">;

export interface SendNoticeInput {
  readonly key: DeliveryKey;
  /** The queue that it lies on, as this deployment names it: where a dead letter is replayed to. */
  readonly queue: string;
  /** The queue's, the same at every delivery of the message: a claim that it has made already lets it pass. */
  readonly messageId: string;
  readonly now: Instant;
}

/** To be told twice is better than not to be told. */
const CLAIM_PATIENCE_MS = 250;

/** A provider answers within seconds; whoever died while sending frees the notice after a minute. */
const SENDING_SECONDS = 30;

/** Clocks differ: what is due within a second is due. */
const EARLY_MS = 1_000;

/** A key that is missing from the configuration comes back, and an administrator may set the target anew meanwhile. */
const UNOPENED: Offered = {
  outcome: { kind: "failed", why: "the channel's target cannot be opened: set it anew", retryAfterSeconds: null },
  preview: "",
};

/** @throws Outage when Postgres is away: the message comes again, and nothing was lost. */
export async function sendNotice(input: SendNoticeInput, deps: Deps): Promise<NoticeEnd> {
  const { key, queue, messageId, now } = input;
  const dispatch = await deps.deliveries.load(key);
  if (dispatch === null || dispatch.delivery.status !== "pending") return DONE;
  const earlyMs = (dispatch.delivery.nextAttemptAt ?? now) - now;
  // Another message of the same delivery has failed meanwhile, or this one died before it was put back.
  if (earlyMs > EARLY_MS) return later(Math.ceil(earlyMs / 1_000), "its next attempt is not due yet");
  const attempt = { key, queue, messageId, now, attempts: dispatch.delivery.attempts, about: aboutOf(dispatch) };
  if (!dispatch.channel.enabled) {
    await deps.deliveries.end(key, { status: "skipped", error: "the channel is disabled", at: now });
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
  const offered = target === null ? UNOPENED : await offerNotice({ ...offer, target }, deps);
  if (claim === "claimed" && offered.outcome.kind !== "sent") await releaseNotice(attempt, deps);
  return settleNotice(attempt, offered, deps);
}

/** What receivers and providers know the notice by, the same at every attempt. */
function noticeIdOf({ alertId, channelId }: DeliveryKey): string {
  return `notice_${alertId}_${channelId}`;
}

/** `unclaimed`: Redis cannot say whether another message is at it, and the notice does not wait for Redis. */
async function claimNotice({ key, messageId, about }: SendAttempt, deps: Deps) {
  const claim = await withTimeout(deps.claims.claimNotice(key, messageId), CLAIM_PATIENCE_MS, deps);
  if (claim.kind === "came") return claim.value;
  const error = claim.kind === "slow" ? new Error("Redis is slow") : claim.error;
  deps.log.error("a notice is sent without a claim: it may come twice", error, about);
  return "unclaimed";
}

/** So that the next message, whichever it is, need not wait for the end of the claim. */
async function releaseNotice({ key, about }: SendAttempt, { claims, log }: Deps): Promise<void> {
  try {
    await claims.releaseNotice(key);
  } catch (cause) {
    log.error("a claim was not released: it ends by itself", cause, about);
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
