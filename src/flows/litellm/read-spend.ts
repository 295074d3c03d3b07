// Reads a tenant's spend: the sum of its live keys, plus what the keys removed in this period had spent. A tenant with
// one key, the usual one, is one read. Changes nothing.

import type { Instant } from "../../budget/instant.ts";
import type { NanoUsd } from "../../budget/money.ts";
import { isOfEndedPeriod, periodOf, showsNewPeriod } from "../../budget/period.ts";
import type { KeyHash, TenantConfig } from "../../budget/tenant.ts";
import type { LiteLlm, Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantRecord } from "../../records/tenant.ts";

type Options = Parameters<LiteLlm["readSubject"]>[1];

type Read = Result<LiteLlmRow, LiteLlmFailure>;

/** What is known of the tenant before the read. */
type KnownTenant = Pick<TenantRecord, "config" | "spend">;

interface OlderKeys {
  /** Oldest first. */
  readonly rows: readonly LiteLlmRow[];
  /** Keys that LiteLLM no longer has, and of which the last spend is not carried yet. */
  readonly goneKeys: readonly KeyHash[];
}

/** As `litellm.readSubject` of the tenant's subject, with the spend of all keys and the oldest live key's reset. */
export async function readSpendOf(tenant: KnownTenant, options: Options, deps: Pick<Ports, "litellm">): Promise<Read> {
  const { config } = tenant;
  const newest = deps.litellm.readSubject(config.subject, options);
  if (hasOneKey(config)) return newest;
  const [read, older] = await Promise.all([newest, readOlderKeys(config, options, deps)]);
  if (!older.ok) return older;
  if (read.ok) return success(withOlderKeys(tenant, read.value, older.value));
  const { rows, goneKeys } = older.value;
  const last = rows.at(-1);
  // LiteLLM has not created the newest key yet, or has lost it; the others go on meanwhile.
  if (read.failure.kind !== "not_found" || last === undefined) return read;
  const missing = { ...last, subject: config.subject, spendNanoUsd: 0n };
  return success(withOlderKeys(tenant, missing, { rows, goneKeys: [...goneKeys, config.subject.id as KeyHash] }));
}

/** True when no other key counts, so that a read of the subject alone shows the tenant's spend. */
export function hasOneKey({ otherKeys, carriedNanoUsd }: TenantConfig): boolean {
  return otherKeys.length === 0 && carriedNanoUsd === 0n;
}

export async function readOlderKeys(
  { otherKeys }: TenantConfig,
  { tries }: Pick<Options, "tries">,
  { litellm }: Pick<Ports, "litellm">,
): Promise<Result<OlderKeys, LiteLlmFailure>> {
  const reads = await Promise.all(
    otherKeys.map(async ({ hash }) => ({
      hash,
      read: await litellm.readSubject({ kind: "key", id: hash }, { tries }),
    })),
  );
  const rows: LiteLlmRow[] = [];
  const goneKeys: KeyHash[] = [];
  for (const { hash, read } of reads) {
    if (read.ok) rows.push(read.value);
    else if (read.failure.kind === "not_found") goneKeys.push(hash);
    else return failure(read.failure);
  }
  return success({ rows, goneKeys });
}

/** The newest key's row as the tenant's. */
export function withOlderKeys(
  tenant: KnownTenant,
  newest: LiteLlmRow,
  { rows: older, goneKeys }: OlderKeys,
): LiteLlmRow {
  const { config } = tenant;
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
  const shownNanoUsd = rows.reduce((sum, row) => sum + spentBy(row), carried);
  const spendNanoUsd = isOver || goneKeys.length === 0 ? shownNanoUsd : atLeastKnown(tenant, shownNanoUsd);
  const beside = (row: LiteLlmRow): LiteLlmRow => ({ ...row, othersNanoUsd: spendNanoUsd - spentBy(row) });
  return { ...beside(newest), spendNanoUsd, begunAt, answeredAt, resetsAt, olderKeys: live.map(beside), goneKeys };
}

/** What the tenant has spent beside its newest key, which LiteLLM does not have yet. */
export function spentBeside(tenant: KnownTenant, { rows, goneKeys }: OlderKeys): NanoUsd {
  const shownNanoUsd = sumOf(rows) + tenant.config.carriedNanoUsd;
  return goneKeys.length === 0 ? shownNanoUsd : atLeastKnown(tenant, shownNanoUsd);
}

/** What a key had spent that LiteLLM no longer has is part of the spend that Bursar knows, until it is carried. */
function atLeastKnown({ config, spend }: KnownTenant, shownNanoUsd: NanoUsd): NanoUsd {
  const knows = spend !== null && !isOfEndedPeriod(config, spend);
  return knows && spend.spendNanoUsd > shownNanoUsd ? spend.spendNanoUsd : shownNanoUsd;
}

/** What a key had spent that LiteLLM no longer has: the known spend without what the other keys show. */
export function spentByGone(tenant: KnownTenant, shownNanoUsd: NanoUsd): NanoUsd {
  return atLeastKnown(tenant, shownNanoUsd) - shownNanoUsd;
}

const sumOf = (rows: readonly LiteLlmRow[]): NanoUsd => rows.reduce((sum, row) => sum + row.spendNanoUsd, 0n);

/** False for a key that has ended: it is blocked, and counts until its last spend is carried. */
function isLive({ otherKeys }: TenantConfig, { subject }: LiteLlmRow, now: Instant): boolean {
  return otherKeys.some(({ hash, endsAt }) => hash === subject.id && endsAt > now);
}
