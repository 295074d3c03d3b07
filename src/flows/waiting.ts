// Waiting no longer than a caller can afford, trying again what must not be lost to a hiccup, and doing only so much at
// a time.

import type { Ports } from "../ports/ports.ts";
import { failure, type Result, success } from "../ports/result.ts";

/** `slow` and `failed` mean the same to an answer (go on without), but not to a log. */
export type Timed<T> =
  | { readonly kind: "came"; readonly value: T }
  | { readonly kind: "slow" }
  | { readonly kind: "failed"; readonly error: unknown };

/**
 * How long KV or Postgres may take before the next one is asked: with two of them slow, LiteLLM alone is still heard
 * within the deadline. At the usual 100 ms KV answers nearly all reads within these 40.
 */
export function storeTimeoutMs({ policy }: Pick<Ports, "policy">): number {
  return policy.checkDeadlineMs * 0.4;
}

/** Redis in the same region answers in a few milliseconds; an answer does not wait longer to be polite to LiteLLM. */
export function claimTimeoutMs({ policy }: Pick<Ports, "policy">): number {
  return policy.checkDeadlineMs * 0.2;
}

/** What came of `work` within `ms`. Never rejects. */
export async function withTimeout<T>(
  work: Promise<T>,
  ms: number,
  { timers }: Pick<Ports, "timers">,
): Promise<Timed<T>> {
  const timer = timers.after(ms);
  const outcome = work.then(
    (value): Timed<T> => ({ kind: "came", value }),
    (error: unknown): Timed<T> => ({ kind: "failed", error }),
  );
  try {
    return await Promise.race([outcome, timer.passed.then((): Timed<T> => ({ kind: "slow" }))]);
  } finally {
    timer.cancel();
  }
}

/** What came, or null; logs what had to be given up. */
export async function valueOrNull<T>(
  what: string,
  work: Promise<T>,
  ms: number,
  deps: Pick<Ports, "timers" | "log">,
): Promise<T | null> {
  const outcome = await withTimeout(work, ms, deps);
  if (outcome.kind === "came") return outcome.value;
  if (outcome.kind === "failed") deps.log.error(`${what} failed`, outcome.error);
  else deps.log.warn(`${what} slow`, { waited_ms: ms });
  return null;
}

/** After each failed try. Three tries ride out a dropped connection; an outage of seconds they leave to the queue. */
const PAUSES_MS = [100, 400, 0] as const;

/** The last error when all tries have failed; it is logged. */
export async function withRetries(
  what: string,
  work: () => Promise<void>,
  { timers, log }: Pick<Ports, "timers" | "log">,
): Promise<Result<void, unknown>> {
  let last: unknown = null;
  for (const pauseMs of PAUSES_MS) {
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

/** @throws what `work` throws first; what is under way then goes on unheard. */
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
