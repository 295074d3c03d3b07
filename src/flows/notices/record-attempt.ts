// Records the outcome of one attempt at a notice: sent, skipped, failed, or to be retried. Decides when a notice is
// given up. Sends nothing.

import type { Instant } from "../../budget/instant.ts";
import { nextNoticeSeconds } from "../../budget/schedules/backoff.ts";
import { noticeMessage } from "../../ports/messages.ts";
import type { LogFields, Ports } from "../../ports/ports.ts";
import type { DeliveryKey } from "../../records/delivery.ts";
import { withRetries } from "../waiting.ts";
import type { Attempted } from "./attempt-notice.ts";

type Deps = Pick<Ports, "deliveries" | "claims" | "deadLetters" | "timers" | "log">;

/** The consumer acknowledges a message that is `done`, and retries one that is `later`. */
export type MessageOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "later"; readonly delaySeconds: number; readonly why: string };

export const DONE: MessageOutcome = { kind: "done" };

export function later(delaySeconds: number, why: string): MessageOutcome {
  return { kind: "later", delaySeconds, why };
}

export interface SendAttempt {
  readonly key: DeliveryKey;
  readonly queue: string;
  readonly messageId: string;
  readonly now: Instant;
  /** The number of failed attempts before this one. */
  readonly attempts: number;
  readonly about: LogFields;
}

/** @throws Outage when Postgres does not record the outcome. */
export async function recordAttempt(
  attempt: SendAttempt,
  { outcome, preview }: Attempted,
  deps: Deps,
): Promise<MessageOutcome> {
  const { key, now, about } = attempt;
  switch (outcome.kind) {
    case "sent":
      return recordSent(attempt, deps);
    case "not_configured":
      deps.log.info("notice preview", { ...about, why: outcome.why, preview });
      await deps.deliveries.end(key, { status: "skipped", error: outcome.why, at: now });
      return DONE;
    case "rejected":
      deps.log.error("notice rejected", null, { ...about, why: outcome.why });
      await deps.deliveries.end(key, { status: "failed", error: outcome.why, at: now });
      return DONE;
    case "failed": {
      const seconds = nextNoticeSeconds(attempt.attempts + 1, outcome.retryAfterSeconds);
      return seconds === null ? giveUp(attempt, outcome.why, deps) : postpone(attempt, outcome.why, seconds, deps);
    }
  }
}

/**
 * Records the notice as sent in both stores, each with retries, because either one stops the next message from sending
 * it.
 * @throws when Postgres does not record it; the queue redelivers within the hour for which Redis keeps the note.
 */
async function recordSent({ key, now, about }: SendAttempt, deps: Deps): Promise<MessageOutcome> {
  const sent = { status: "sent", error: null, at: now } as const;
  const noted = await withRetries("redis notice write", () => deps.claims.noteNoticeSent(key), deps);
  const recorded = await withRetries("postgres notice write", () => deps.deliveries.end(key, sent), deps);
  if (recorded.ok) {
    deps.log.info("notice sent", about);
    return DONE;
  }
  if (!noted.ok) deps.log.error("sent notice recorded in neither store; it will be sent again", null, about);
  throw recorded.failure;
}

async function postpone({ key, now, attempts, about }: SendAttempt, why: string, delaySeconds: number, deps: Deps) {
  deps.log.warn("notice attempt failed", {
    ...about,
    why,
    failed_attempts: attempts + 1,
    next_in_seconds: delaySeconds,
  });
  await deps.deliveries.postpone(key, { error: why, nextAttemptAt: now + delaySeconds * 1_000, at: now });
  return later(delaySeconds, why);
}

/** Records the dead letter first: a crash in between then causes one more attempt, and never a lost notice. */
async function giveUp({ key, queue, messageId, now, attempts, about }: SendAttempt, why: string, deps: Deps) {
  const failedAttempts = attempts + 1;
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
  await deps.deliveries.end(key, { status: "failed", error: why, at: now });
  return DONE;
}
