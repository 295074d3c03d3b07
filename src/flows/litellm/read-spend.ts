// Reads a tenant's spend: the sum of its live keys, plus what the keys removed in this period had spent. A tenant with
// one key, the usual one, is one read. Changes nothing.

import type { Instant } from "../../budget/instant.ts";
import type { NanoUsd } from "../../budget/money.ts";
import { periodOf, showsNewPeriod } from "../../budget/period.ts";
import type { TenantConfig } from "../../budget/tenant.ts";
import type { LiteLlm, Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";

type Options = Parameters<LiteLlm["readSubject"]>[1];

type Read = Result<LiteLlmRow, LiteLlmFailure>;

/** As `litellm.readSubject` of the tenant's subject, with the spend of all keys and the oldest live key's reset. */
export async function readSpendOf(config: TenantConfig, options: Options, deps: Pick<Ports, "litellm">): Promise<Read> {
  const newest = deps.litellm.readSubject(config.subject, options);
  if (hasOneKey(config)) return newest;
  const [read, older] = await Promise.all([newest, readOlderKeys(config, options, deps)]);
  if (!older.ok) return older;
  if (read.ok) return success(withOlderKeys(config, read.value, older.value));
  const last = older.value.at(-1);
  // LiteLLM has not created the newest key yet; the others go on meanwhile.
  if (read.failure.kind !== "not_found" || last === undefined) return read;
  return success(withOlderKeys(config, { ...last, subject: config.subject, spendNanoUsd: 0n }, older.value));
}

/** True when no other key counts, so that a read of the subject alone shows the tenant's spend. */
export function hasOneKey({ otherKeys, carriedNanoUsd }: TenantConfig): boolean {
  return otherKeys.length === 0 && carriedNanoUsd === 0n;
}

/** The rows of the older keys, oldest first. A key that LiteLLM no longer has is left out. */
export async function readOlderKeys(
  { otherKeys }: TenantConfig,
  { tries }: Pick<Options, "tries">,
  { litellm }: Pick<Ports, "litellm">,
): Promise<Result<readonly LiteLlmRow[], LiteLlmFailure>> {
  const reads = await Promise.all(
    otherKeys.map(({ hash }) => litellm.readSubject({ kind: "key", id: hash }, { tries })),
  );
  const rows: LiteLlmRow[] = [];
  for (const read of reads) {
    if (read.ok) rows.push(read.value);
    else if (read.failure.kind !== "not_found") return failure(read.failure);
  }
  return success(rows);
}

/** The newest key's row as the tenant's. `older` are the rows of its other keys. */
export function withOlderKeys(config: TenantConfig, newest: LiteLlmRow, older: readonly LiteLlmRow[]): LiteLlmRow {
  const rows = [...older, newest];
  const begunAt = Math.min(...rows.map((row) => row.begunAt));
  const answeredAt = Math.max(...rows.map((row) => row.answeredAt));
  const live = older.filter((row) => isLive(config, row, answeredAt));
  const resetsAt = (live[0] ?? newest).resetsAt;
  // What removed keys had spent ends with its period.
  const isOver = showsNewPeriod(periodOf(config), { begunAt, resetsAt });
  const carried = isOver ? 0n : config.carriedNanoUsd;
  // Bursar zeroes the other keys after this read: what they show is of the period before.
  const isOld = (row: LiteLlmRow) => isOver && row.resetsAt !== resetsAt;
  const spentBy = (row: LiteLlmRow) => (isOld(row) ? 0n : row.spendNanoUsd);
  const spendNanoUsd = rows.reduce((sum, row) => sum + spentBy(row), carried);
  const beside = (row: LiteLlmRow): LiteLlmRow => ({ ...row, othersNanoUsd: spendNanoUsd - spentBy(row) });
  return { ...beside(newest), spendNanoUsd, begunAt, answeredAt, resetsAt, olderKeys: live.map(beside) };
}

/** What the tenant has spent beside its newest key. */
export function spentBeside({ carriedNanoUsd }: TenantConfig, older: readonly LiteLlmRow[]): NanoUsd {
  return sumOf(older) + carriedNanoUsd;
}

const sumOf = (rows: readonly LiteLlmRow[]): NanoUsd => rows.reduce((sum, row) => sum + row.spendNanoUsd, 0n);

/** False for a key that has ended: it is blocked, and counts until its last spend is carried. */
function isLive({ otherKeys }: TenantConfig, { subject }: LiteLlmRow, now: Instant): boolean {
  return otherKeys.some(({ hash, endsAt }) => hash === subject.id && endsAt > now);
}
