// Records the outcome of one attempt at a notice: sent, skipped, failed, to be retried, or to wait. Decides when a
// notice is given up. Sends nothing but the alert that a channel is broken.

import type { Instant } from "../../budget/instant.ts";
import {
  MAX_RATE_LIMITED_MS,
  nextNoticeSeconds,
  rateLimitedFloorMs,
  rateLimitedNoticeSeconds,
} from "../../budget/schedules/backoff.ts";
import { noticeMessage } from "../../ports/messages.ts";
import type { LogFields, Ports } from "../../ports/ports.ts";
import type { DeliveryKey, SendOutcome } from "../../records/delivery.ts";
import type { NoticeDispatch } from "../../records/platform-alert.ts";
import { sendNotices } from "../alerts/announce-alerts.ts";
import { withRetries } from "../waiting.ts";
import type { Attempted } from "./attempt-notice.ts";
import { nextTurn } from "./pace-notice.ts";

export type RecordAttemptDeps = Pick<Ports, "deliveries" | "claims" | "deadLetters" | "noticeQueue" | "timers" | "log">;

/**
 * `done`: the consumer acknowledges. `retry`: it retries the message. `requeue`: it sends a new message with the delay
 * and acknowledges this one, because waiting must not use up the queue's retries.
 */
export type MessageOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "retry" | "requeue"; readonly delaySeconds: number; readonly why: string };

export const DONE: MessageOutcome = { kind: "done" };

export function retryAfter(delaySeconds: number, why: string): MessageOutcome {
  return { kind: "retry", delaySeconds, why };
}

/** A queue takes no longer delay. A message that comes early waits again. */
const MAX_DELAY_SECONDS = 12 * 3_600;

export function requeueAfter(seconds: number, why: string): MessageOutcome {
  return { kind: "requeue", delaySeconds: Math.min(seconds, MAX_DELAY_SECONDS), why };
}

export interface SendAttempt {
  readonly key: DeliveryKey;
  readonly dispatch: NoticeDispatch;
  readonly queue: string;
  readonly messageId: string;
  readonly random: number;
  readonly now: Instant;
  /** False: nothing was offered to the provider. */
  readonly hasBegun: boolean;
  readonly about: LogFields;
}

type Failed = Extract<SendOutcome, { readonly kind: "failed" | "unanswered" | "rate_limited" }>;

/** @throws Outage when Postgres does not record the outcome. */
export async function recordAttempt(
  attempt: SendAttempt,
  { outcome, preview }: Attempted,
  deps: RecordAttemptDeps,
): Promise<MessageOutcome> {
  const { key, now, about } = attempt;
  switch (outcome.kind) {
    case "sent":
      return recordSent(attempt, deps);
    case "not_configured":
      deps.log.info("notice preview", { ...about, why: outcome.why, preview });
      await deps.deliveries.end(key, { status: "skipped", error: outcome.why, hasNotArrived: true, at: now });
      return DONE;
    case "rejected":
      deps.log.error("notice rejected", null, { ...about, why: outcome.why });
      await sendNotices(await deps.deliveries.recordRejection(key, { error: outcome.why, at: now }), deps);
      return DONE;
    case "rate_limited":
      return mayWait(attempt) ? waitForPace(attempt, outcome, deps) : recordFailed(attempt, outcome, deps);
    case "failed":
    case "unanswered":
      return recordFailed(attempt, outcome, deps);
  }
}

/**
 * Records the notice as sent in both stores, each with retries, because either one stops the next message from sending
 * it.
 * @throws when Postgres does not record it; the queue redelivers within the hour for which Redis keeps the note.
 */
async function recordSent({ key, now, about }: SendAttempt, deps: RecordAttemptDeps): Promise<MessageOutcome> {
  const sent = { status: "sent", error: null, hasNotArrived: false, at: now } as const;
  const noted = await withRetries("redis notice write", () => deps.claims.noteNoticeSent(key), deps);
  const recorded = await withRetries("postgres notice write", () => deps.deliveries.end(key, sent), deps);
  if (recorded.ok) {
    deps.log.info("notice sent", about);
    return DONE;
  }
  if (!noted.ok) deps.log.error("sent notice recorded in neither store; it will be sent again", null, about);
  throw recorded.failure;
}

/** Counts from the alert: a notice that is half a day old is no longer news. */
function mayWait(attempt: SendAttempt): boolean {
  return ageMsOf(attempt) < MAX_RATE_LIMITED_MS;
}

function ageMsOf({ dispatch, now }: SendAttempt): number {
  const { createdAt } = "alert" in dispatch ? dispatch.alert : dispatch.platformAlert;
  return now - createdAt;
}

/** Moves the channel's next turn too, so that the notices behind this one wait as well. No attempt. */
async function waitForPace(
  attempt: SendAttempt,
  { why, retryAfterSeconds }: Extract<SendOutcome, { readonly kind: "rate_limited" }>,
  deps: RecordAttemptDeps,
): Promise<MessageOutcome> {
  const { key, dispatch, random, now, about } = attempt;
  const notBefore = now + rateLimitedNoticeSeconds(retryAfterSeconds, random) * 1_000;
  const turnAt = await nextTurn(dispatch, notBefore, deps);
  const nextAttemptAt = turnAt ?? Math.max(notBefore, now + rateLimitedFloorMs(ageMsOf(attempt)));
  const delaySeconds = Math.ceil((nextAttemptAt - now) / 1_000);
  deps.log.info("notice rate limited", { ...about, why, next_in_seconds: delaySeconds });
  const next = { error: why, nextAttemptAt, turnAt, isAttempt: false, hasNotArrived: true, at: now };
  await deps.deliveries.postpone(key, next);
  return requeueAfter(delaySeconds, why);
}

async function recordFailed(attempt: SendAttempt, outcome: Failed, deps: RecordAttemptDeps): Promise<MessageOutcome> {
  const { key, dispatch, random, now, hasBegun, about } = attempt;
  const { why } = outcome;
  const failedAttempts = dispatch.delivery.attempts + 1;
  const retryAfterSeconds = outcome.kind === "unanswered" ? null : outcome.retryAfterSeconds;
  const hasNotArrived = hasBegun && outcome.kind !== "unanswered";
  const seconds = nextNoticeSeconds(failedAttempts, retryAfterSeconds, random);
  if (seconds === null) return giveUp(attempt, { why, failedAttempts, hasNotArrived }, deps);
  deps.log.warn("notice attempt failed", { ...about, why, failed_attempts: failedAttempts, next_in_seconds: seconds });
  const nextAttemptAt = now + seconds * 1_000;
  const next = { error: why, nextAttemptAt, turnAt: null, isAttempt: true, hasNotArrived, at: now };
  await deps.deliveries.postpone(key, next);
  return retryAfter(seconds, why);
}

/** Records the dead letter first: a crash in between then causes one more attempt, and never a lost notice. */
async function giveUp(
  { key, queue, messageId, now, about }: SendAttempt,
  { why, failedAttempts, hasNotArrived }: { why: string; failedAttempts: number; hasNotArrived: boolean },
  deps: RecordAttemptDeps,
): Promise<MessageOutcome> {
  await deps.deadLetters.record({
    queue,
    messageId,
    body: noticeMessage(key),
    attempts: failedAttempts,
    error: why,
    recordedAt: now,
  });
  const letter = { queue, message_id: messageId, why };
  deps.log.error("dead letter recorded", null, { ...about, ...letter, failed_attempts: failedAttempts });
  await deps.deliveries.end(key, { status: "failed", error: why, hasNotArrived, at: now });
  return DONE;
}
