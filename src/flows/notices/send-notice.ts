// Sends one recorded alert to one channel. Postgres says whether the notice is still due and still true, a claim in
// Redis prevents two messages from sending it at once, and Postgres records the outcome before the message is
// acknowledged. After a crash at any step the redelivered message continues from there.

import type { Instant } from "../../budget/instant.ts";
import { SENDING_SECONDS } from "../../budget/schedules/backoff.ts";
import { hasNotice } from "../../notices/copy/event-copy.ts";
import type { LogFields, Ports } from "../../ports/ports.ts";
import type { DeliveryKey } from "../../records/delivery.ts";
import type { NoticeDispatch } from "../../records/platform-alert.ts";
import { withTimeout } from "../waiting.ts";
import { type Attempted, attemptNotice } from "./attempt-notice.ts";
import { takeTurn } from "./pace-notice.ts";
import {
  DONE,
  type MessageOutcome,
  type RecordAttemptDeps,
  recordAttempt,
  requeueAfter,
  retryAfter,
  type SendAttempt,
} from "./record-attempt.ts";
import { decryptTarget } from "./target-cipher.ts";

export type SendNoticeDeps = RecordAttemptDeps &
  Pick<Ports, "cipher" | "notifier" | "policy" | "channelBreakers" | "clock">;

export interface SendNoticeInput {
  /** A pending delivery. */
  readonly dispatch: NoticeDispatch;
  /** The name of the message's queue in this deployment; a dead letter is replayed to it. */
  readonly queue: string;
  readonly messageId: string;
  /** At least 0 and below 1. */
  readonly random: number;
  readonly now: Instant;
}

/** A notice that arrives twice is better than one that waits for Redis. */
const CLAIM_TIMEOUT_MS = 250;

/** A notice that is due within a second counts as due, because clocks differ. */
const EARLY_MS = 1_000;

/** Retried, because an operator may restore the encryption key or send the target again. */
const UNDECRYPTED: Attempted = {
  outcome: { kind: "failed", why: "the channel's target cannot be decrypted: send it again", retryAfterSeconds: null },
  preview: "",
};

/**
 * The channel's breaker is open: nothing was sent, but the attempt counts, so a channel that never answers ends with a
 * dead letter.
 */
const UNRESPONSIVE: Attempted = {
  outcome: { kind: "failed", why: "the channel does not answer", retryAfterSeconds: null },
  preview: "",
};

/** @throws Outage when Postgres cannot be reached; the message is then redelivered. */
export async function sendNotice(input: SendNoticeInput, deps: SendNoticeDeps): Promise<MessageOutcome> {
  const { dispatch, queue, messageId, random, now } = input;
  const { delivery, channel } = dispatch;
  const key = { alertId: delivery.alertId, channelId: delivery.channelId };
  const earlyMs = (delivery.nextAttemptAt ?? now) - now;
  // Another message of the same delivery has failed meanwhile, or this message's last delivery crashed before its
  // retry.
  if (earlyMs > EARLY_MS) return requeueAfter(Math.ceil(earlyMs / 1_000), "the next attempt is not due yet");
  const attempt = { key, dispatch, queue, messageId, random, now, hasBegun: false, about: aboutOf(dispatch) };
  if (!channel.enabled) {
    const end = { status: "skipped", error: "the channel is disabled", hasNotArrived: false, at: now } as const;
    await deps.deliveries.end(key, end);
    return DONE;
  }
  if ("alert" in dispatch && !hasNotice(dispatch.alert)) {
    const end = { status: "skipped", error: "its event type has no notices", hasNotArrived: false, at: now } as const;
    await deps.deliveries.end(key, end);
    return DONE;
  }
  const claim = await claimNotice(attempt, deps);
  if (claim === "sending") return retryAfter(SENDING_SECONDS, "another message is sending it");
  if (claim === "sent") {
    await deps.deliveries.end(key, { status: "sent", error: null, hasNotArrived: false, at: now });
    return DONE;
  }
  const step = await takeStep(attempt, deps);
  const isSent = step.kind === "offered" && step.offered.outcome.kind === "sent";
  if (claim === "claimed" && !isSent) await releaseNotice(attempt, deps);
  switch (step.kind) {
    case "turn":
      return waitForTurn(attempt, step.at, deps);
    case "breaker_open":
      return recordAttempt(attempt, UNRESPONSIVE, deps);
    case "not_due":
      deps.log.info("notice not sent", { ...attempt.about, why: step.why });
      return DONE;
    case "offered":
      return recordAttempt({ ...attempt, hasBegun: true }, step.offered, deps);
  }
}

/** What becomes of a notice that this message has claimed. */
type Step =
  /** Its turn at the channel is at this instant. */
  | { readonly kind: "turn"; readonly at: Instant }
  | { readonly kind: "breaker_open" }
  /** It is superseded, or another message has taken it further meanwhile. */
  | { readonly kind: "not_due"; readonly why: string }
  | { readonly kind: "offered"; readonly offered: Attempted };

async function takeStep(attempt: SendAttempt, deps: SendNoticeDeps): Promise<Step> {
  const { key, dispatch, now } = attempt;
  const { delivery, channel } = dispatch;
  const turnAt = await takeTurn(dispatch, now, deps);
  if (turnAt !== null && turnAt > now) return { kind: "turn", at: turnAt };
  if (!deps.channelBreakers.admits(channel.id, now)) return { kind: "breaker_open" };
  const begun = await deps.deliveries.begin(key, { nextAttemptAt: delivery.nextAttemptAt, now });
  if (begun !== "begun") return { kind: "not_due", why: begun };
  return { kind: "offered", offered: await offerNotice(attempt, deps) };
}

async function offerNotice({ key, dispatch, about, now }: SendAttempt, deps: SendNoticeDeps): Promise<Attempted> {
  const { channel } = dispatch;
  const target = await decryptTarget(channel, deps);
  if (target === null) return UNDECRYPTED;
  const offered = await attemptNotice({ notice: dispatch, noticeId: noticeIdOf(key), about, now, target }, deps);
  deps.channelBreakers.note(channel.id, offered.outcome.kind !== "unanswered", deps.clock());
  return offered;
}

async function waitForTurn({ key, now }: SendAttempt, turnAt: Instant, deps: SendNoticeDeps): Promise<MessageOutcome> {
  const turn = { nextAttemptAt: turnAt, turnAt: turnAt, error: null, isAttempt: false, hasNotArrived: false, at: now };
  await deps.deliveries.postpone(key, turn);
  return requeueAfter(Math.ceil((turnAt - now) / 1_000), "its channel's pace");
}

/** The id by which receivers and providers dedupe, the same at every attempt: `notice_12_3`. */
function noticeIdOf({ alertId, channelId }: DeliveryKey): string {
  return `notice_${alertId}_${channelId}`;
}

/** `unclaimed` when Redis does not answer in time: the notice is then sent without a claim, and may arrive twice. */
async function claimNotice({ key, messageId, about }: SendAttempt, deps: SendNoticeDeps) {
  const claim = await withTimeout(deps.claims.claimNotice(key, messageId), CLAIM_TIMEOUT_MS, deps);
  if (claim.kind === "done") return claim.value;
  const error = claim.kind === "slow" ? new Error("Redis is slow") : claim.error;
  deps.log.error("notice claim failed", error, about);
  return "unclaimed";
}

/** Frees the notice for the next attempt. When this fails, the claim expires by itself. */
async function releaseNotice({ key, about }: SendAttempt, { claims, log }: SendNoticeDeps): Promise<void> {
  try {
    await claims.releaseNotice(key);
  } catch (cause) {
    log.error("notice claim release failed", cause, about);
  }
}

function aboutOf(dispatch: NoticeDispatch): LogFields {
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
