// Puts LiteLLM's call events on the spend queue, merged per key: a key's spend is the highest amount among its calls,
// never a sum. Resolves no tenant and reads no store.

import type { Instant } from "../../budget/instant.ts";
import { decimalFromNanoUsd, type NanoUsd, nanoUsdFromDecimal } from "../../budget/money.ts";
import type { SpendMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";

/** The fields of one call event that concern its key's spend (test/litellm/captures/generic-api-success.json). */
export interface Call {
  readonly keyHash: string;
  readonly teamId: string | null;
  /** The amounts of a failed call are not trusted. */
  readonly isSuccess: boolean;
  readonly spendBeforeNanoUsd: NanoUsd | null;
  readonly costNanoUsd: NanoUsd | null;
  readonly begunAt: Instant | null;
  /** The end of the spend's period; `undefined` when LiteLLM does not send it. */
  readonly resetsAt: Instant | undefined;
}

interface KeyCalls {
  readonly keyHash: string;
  readonly teamId: string | null;
  /** The highest observation; null when no call had one: the calls are then only a hint. */
  readonly observed: Observed | null;
  readonly begunAt: Instant;
  readonly count: number;
}

interface Observed {
  readonly spendNanoUsd: NanoUsd;
  readonly begunAt: Instant;
  readonly resetsAt: Instant | undefined;
}

/** LiteLLM sends up to 512 calls at once. A body of many tiny calls must not fill the memory with keys. */
const MAX_KEYS = 1_000;

/** Returns the number of accepted calls. @throws when the queue refuses; keys that it already has do no harm. */
export async function acceptCalls(
  { calls, now }: { calls: AsyncIterable<Call>; now: Instant },
  { spendQueue, log }: Pick<Ports, "spendQueue" | "log">,
): Promise<number> {
  const byKey = new Map<string, KeyCalls>();
  let accepted = 0;
  const sendByKey = async () => {
    const keys = [...byKey.values()];
    const negative = keys.filter(({ observed }) => observed !== null && observed.spendNanoUsd < 0n).length;
    if (negative > 0) log.warn("negative spend counted as zero", { source: "events", keys: negative });
    await spendQueue.sendAll(keys.map((key) => messageOf(key, now)));
    byKey.clear();
  };
  for await (const call of calls) {
    accepted++;
    byKey.set(call.keyHash, mergeCall(byKey.get(call.keyHash), call, now));
    if (byKey.size === MAX_KEYS) await sendByKey();
  }
  if (byKey.size > 0) await sendByKey();
  return accepted;
}

function mergeCall(known: KeyCalls | undefined, call: Call, now: Instant): KeyCalls {
  return {
    keyHash: call.keyHash,
    teamId: call.teamId ?? known?.teamId ?? null,
    observed: higher(known?.observed ?? null, observedOf(call)),
    begunAt: Math.max(known?.begunAt ?? 0, call.begunAt ?? now),
    count: (known?.count ?? 0) + 1,
  };
}

/** The key's spend after the call; null when the call names no amount or no start. */
function observedOf({ isSuccess, spendBeforeNanoUsd, costNanoUsd, begunAt, resetsAt }: Call): Observed | null {
  if (!isSuccess || spendBeforeNanoUsd === null || begunAt === null) return null;
  const spendNanoUsd = spendBeforeNanoUsd + (costNanoUsd ?? 0n);
  // The sum of two amounts that Postgres can store may be too large for it.
  return nanoUsdFromDecimal(decimalFromNanoUsd(spendNanoUsd)) === null ? null : { spendNanoUsd, begunAt, resetsAt };
}

/** The higher observation; of two equal ones the later, because it is further from a reset. */
function higher(a: Observed | null, b: Observed | null): Observed | null {
  if (a === null || b === null) return a ?? b;
  if (a.spendNanoUsd !== b.spendNanoUsd) return a.spendNanoUsd > b.spendNanoUsd ? a : b;
  return a.begunAt >= b.begunAt ? a : b;
}

function messageOf({ keyHash, teamId, observed, begunAt, count }: KeyCalls, now: Instant): SpendMessage {
  return {
    kind: "calls",
    key_hash: keyHash,
    team_id: teamId,
    spend: observed === null ? null : decimalFromNanoUsd(observed.spendNanoUsd < 0n ? 0n : observed.spendNanoUsd),
    begun_at: observed?.begunAt ?? begunAt,
    ...(observed?.resetsAt !== undefined && { resets_at: observed.resetsAt }),
    received_at: now,
    count,
  };
}
