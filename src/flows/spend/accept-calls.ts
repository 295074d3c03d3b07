// Puts the calls that LiteLLM tells of on the spend queue, folded per key: what a key had spent is the highest figure
// among its calls, never a sum. Decides nothing about tenants, asks nobody.

import { decimalFromNanoUsd, type NanoUsd, nanoUsdFromDecimal } from "../../budget/money.ts";
import type { Instant } from "../../budget/tenant.ts";
import type { SpendMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";

/** One call, as far as its key's spend is concerned. */
export interface Call {
  readonly keyHash: string;
  readonly teamId: string | null;
  /** What a call that failed says of money is not to be trusted. */
  readonly isSuccess: boolean;
  readonly spendBeforeNanoUsd: NanoUsd | null;
  readonly costNanoUsd: NanoUsd | null;
  readonly begunAt: Instant | null;
  /** Of the period that the spend is of; `undefined` when LiteLLM does not say it. */
  readonly resetsAt: Instant | undefined;
}

interface Folded {
  readonly keyHash: string;
  readonly teamId: string | null;
  /** The highest one's, else null: such calls are a hint and nothing more. */
  readonly observed: Observed | null;
  readonly begunAt: Instant;
  readonly count: number;
}

interface Observed {
  readonly spendNanoUsd: NanoUsd;
  readonly begunAt: Instant;
  readonly resetsAt: Instant | undefined;
}

/** LiteLLM sends 512 calls at once; a body of many tiny ones must not fill the memory with keys. */
const MAX_KEYS = 1_000;

/** How many calls were taken. @throws when the queue refuses: then some of the keys may be on it, which harms nothing. */
export async function acceptCalls(
  { calls, now }: { calls: AsyncIterable<Call>; now: Instant },
  { spendQueue, log }: Pick<Ports, "spendQueue" | "log">,
): Promise<number> {
  const folded = new Map<string, Folded>();
  let accepted = 0;
  const sendFolded = async () => {
    const keys = [...folded.values()];
    const negative = keys.filter(({ observed }) => observed !== null && observed.spendNanoUsd < 0n).length;
    if (negative > 0) log.warn("negative spend counts as zero", { source: "events", keys: negative });
    await spendQueue.sendAll(keys.map((key) => messageOf(key, now)));
    folded.clear();
  };
  for await (const call of calls) {
    accepted++;
    folded.set(call.keyHash, fold(folded.get(call.keyHash), call, now));
    if (folded.size === MAX_KEYS) await sendFolded();
  }
  if (folded.size > 0) await sendFolded();
  return accepted;
}

function fold(known: Folded | undefined, call: Call, now: Instant): Folded {
  return {
    keyHash: call.keyHash,
    teamId: call.teamId ?? known?.teamId ?? null,
    observed: higher(known?.observed ?? null, observedOf(call)),
    begunAt: Math.max(known?.begunAt ?? 0, call.begunAt ?? now),
    count: (known?.count ?? 0) + 1,
  };
}

/** What the key had spent after the call; null when the call does not say it, or not when. */
function observedOf({ isSuccess, spendBeforeNanoUsd, costNanoUsd, begunAt, resetsAt }: Call): Observed | null {
  if (!isSuccess || spendBeforeNanoUsd === null || begunAt === null) return null;
  const spendNanoUsd = spendBeforeNanoUsd + (costNanoUsd ?? 0n);
  // Two amounts that can be kept may have a sum that cannot.
  return nanoUsdFromDecimal(decimalFromNanoUsd(spendNanoUsd)) === null ? null : { spendNanoUsd, begunAt, resetsAt };
}

/** Of equal figures the later one: it is further from a reset. */
function higher(a: Observed | null, b: Observed | null): Observed | null {
  if (a === null || b === null) return a ?? b;
  if (a.spendNanoUsd !== b.spendNanoUsd) return a.spendNanoUsd > b.spendNanoUsd ? a : b;
  return a.begunAt >= b.begunAt ? a : b;
}

function messageOf({ keyHash, teamId, observed, begunAt, count }: Folded, now: Instant): SpendMessage {
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
