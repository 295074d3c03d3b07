// Timeouts, retries and bounded concurrency for the flows. The one place that waits.

import { WRITE_PAUSES_MS } from "../budget/schedules/backoff.ts";
import type { Ports } from "../ports/ports.ts";
import { failure, type Result, success } from "../ports/result.ts";

/** An answer treats `slow` and `failed` alike and goes on without the value; the log tells them apart. */
export type Timed<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "slow" }
  | { readonly kind: "failed"; readonly error: unknown };

/** Shares of a check's deadline: KV or Postgres, and a claim in Redis. */
const STORE_SHARE = 0.4;
const CLAIM_SHARE = 0.2;

/**
 * How long KV or Postgres may take before the check asks the next one. With both of them slow, the check still has time
 * to ask LiteLLM within its deadline. With the usual deadline of 100 ms KV answers nearly all reads within these 40 ms.
 */
export function storeTimeoutMs({ policy }: Pick<Ports, "policy">): number {
  return policy.checkDeadlineMs * STORE_SHARE;
}

/** Redis in the same region answers in a few milliseconds. A check does not wait longer to save LiteLLM a read. */
export function claimTimeoutMs({ policy }: Pick<Ports, "policy">): number {
  return policy.checkDeadlineMs * CLAIM_SHARE;
}

/** The outcome of `work` within `ms` milliseconds. Never rejects; work that is slow goes on. */
export async function withTimeout<T>(
  work: Promise<T>,
  ms: number,
  { timers }: Pick<Ports, "timers">,
): Promise<Timed<T>> {
  const timer = timers.after(ms);
  const outcome = work.then(
    (value): Timed<T> => ({ kind: "done", value }),
    (error: unknown): Timed<T> => ({ kind: "failed", error }),
  );
  try {
    return await Promise.race([outcome, timer.passed.then((): Timed<T> => ({ kind: "slow" }))]);
  } finally {
    timer.cancel();
  }
}

/**
 * The value of `work`, or null when it fails or takes longer than `ms` milliseconds. Logs `<what> failed` or `<what>
 * slow`.
 */
export async function valueOrNull<T>(
  what: string,
  work: Promise<T>,
  ms: number,
  deps: Pick<Ports, "timers" | "log">,
): Promise<T | null> {
  const outcome = await withTimeout(work, ms, deps);
  if (outcome.kind === "done") return outcome.value;
  if (outcome.kind === "failed") deps.log.error(`${what} failed`, outcome.error);
  else deps.log.warn(`${what} slow`, { waited_ms: ms });
  return null;
}

/** Runs `work` up to three times. Logs and returns the last error when all tries fail. */
export async function withRetries(
  what: string,
  work: () => Promise<void>,
  { timers, log }: Pick<Ports, "timers" | "log">,
): Promise<Result<void, unknown>> {
  let last: unknown = null;
  for (const pauseMs of WRITE_PAUSES_MS) {
    try {
      await work();
      return success(undefined);
    } catch (cause) {
      last = cause;
    }
    await timers.after(pauseMs).passed;
  }
  log.error(`${what} failed`, last);
  return failure(last);
}

/**
 * Runs `work` on every item, `atOnce` at a time. @throws the first error of `work`; work in progress goes on
 * unobserved.
 */
export async function mapConcurrently<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const waiting = items.values();
  const runner = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, runner));
}
