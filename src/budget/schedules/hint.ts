// When LiteLLM is read because of a hint: at once, and again late enough for its database to show what the hint
// announced. Follows from the hint and the newest read alone, so copies, redeliveries and lost notes change nothing but
// the number of messages. Reads no clock.

import type { Instant } from "../instant.ts";
import type { NanoUsd } from "../money.ts";
import { DATABASE_LAG_MS, type SpendRecord } from "../spend.ts";
import { LITELLM_AWAY_SECONDS } from "./backoff.ts";

export interface Hint {
  /** When LiteLLM's report arrived. */
  readonly at: Instant;
  /** The spend that the report states; null when it states none. */
  readonly announcedNanoUsd: NanoUsd | null;
  /** The verified time at which the report was sent; null when nothing proves the time. */
  readonly signedAt: Instant | null;
}

/** The newest read of LiteLLM, and the spend after it. */
type Seen = Pick<SpendRecord, "readAt" | "spendNanoUsd">;

/** Hints of a tenant cause at most one read in this time. */
export const HINT_READ_SECONDS = 5;
const HINT_READ_MS = HINT_READ_SECONDS * 1_000;

/** A hint is read a last time then, in case LiteLLM's database is later than usual. */
const LAST_READ_MS = 60_000;

/**
 * The hint that stands for all hints of the same few seconds: their later reads are the same. It is the latest of them,
 * so its reads are late enough for all.
 */
export function groupedHintAt(at: Instant): Instant {
  return Math.ceil(at / HINT_READ_MS) * HINT_READ_MS;
}

/** The hints of a batch, one for each group. The instant of a group may be ahead, that of a hint never is. */
export function groupHints(hints: readonly Hint[], now: Instant): readonly Hint[] {
  const arrived = hints.map((hint) => ({ ...hint, at: Math.min(hint.at, now) }));
  return [...Map.groupBy(arrived, ({ at }) => groupedHintAt(at)).values()].map((group) => group.reduce(joinHints));
}

function joinHints(a: Hint, b: Hint): Hint {
  const [higher, other] = (a.announcedNanoUsd ?? 0n) >= (b.announcedNanoUsd ?? 0n) ? [a, b] : [b, a];
  return { ...higher, at: Math.max(higher.at, other.at) };
}

/** When the next read is due because of the hint; an instant that has passed means now. Null when no read is due. */
export function nextHintRead(hint: Hint, seen: Seen | null): Instant | null {
  const readAt = seen?.readAt ?? null;
  if (seen === null || readAt === null) return hint.at;
  const [second, third] = laterReadsOf(hint);
  const isOver = readAt >= third || (readAt >= second && isShown(hint, seen));
  if (isOver) return null;
  const due = readAt < hint.at ? hint.at : readAt < second ? second : third;
  return Math.max(due, readAt + HINT_READ_MS);
}

/** When the read after one that failed at `now` is due. */
export function hintReadAfterFailure(hint: Hint, now: Instant): Instant {
  return laterReadsOf(hint).find((due) => due > now) ?? now + LITELLM_AWAY_SECONDS * 1_000;
}

/** True when the spend is as high as the hint announced. */
export function isShown({ announcedNanoUsd }: Hint, { spendNanoUsd }: Pick<SpendRecord, "spendNanoUsd">): boolean {
  return announcedNanoUsd === null || spendNanoUsd >= announcedNanoUsd;
}

/** True when LiteLLM could not be read for as long as the hint's reads last. */
export function isUnreadable(hint: Hint, now: Instant): boolean {
  return now >= hint.at + LAST_READ_MS;
}

/** What ended before a hint is in LiteLLM's database by the first of these, or under load by the second. */
function laterReadsOf({ at }: Hint): readonly [Instant, Instant] {
  const grouped = groupedHintAt(at);
  return [grouped + DATABASE_LAG_MS, grouped + LAST_READ_MS];
}
