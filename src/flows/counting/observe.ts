// Applies reads of LiteLLM to the ledgers in Postgres, in any order. Only the first read of an adoption and of a reset
// does not go through here: it replaces the ledger.
// A ledger that has changed meanwhile is loaded again.

import { type CountedRead, countRead, type Fall, fallOf, settlesAt } from "../../budget/counting.ts";
import { earliest, type Instant } from "../../budget/instant.ts";
import { limitAt } from "../../budget/limit.ts";
import type { NanoUsd } from "../../budget/money.ts";
import { periodOf, periodStartedAt } from "../../budget/period.ts";
import type { SpendRead } from "../../budget/spend.ts";
import type { Subject, TenantConfig, TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { BudgetReset } from "../../records/audit.ts";
import type { OpenLedger } from "../../records/ledger.ts";
import type { LiteLlmFailure } from "../../records/litellm-row.ts";
import type { TenantRecord } from "../../records/tenant.ts";

export type ObserveDeps = Pick<Ports, "ledgers">;

/** A read of a tenant's subject. */
export interface SubjectRead extends SpendRead {
  readonly tenantId: TenantId;
  readonly subject: Subject;
}

export interface Observed {
  /** The tenant afterwards, and its spend. */
  readonly tenant: TenantRecord;
  readonly spendNanoUsd: NanoUsd;
  /** When a read is due: to tell whether LiteLLM's spend fell, or to see calls around this one. Null when none is. */
  readonly nextReadAt: Instant | null;
  /** How far the reads have lowered the spend within its period; null when they have not. */
  readonly fall: Fall | null;
  /** The period that the reads have begun, to announce; null when they have begun none. */
  readonly reset: BudgetReset | null;
}

/** Calls of a busy tenant are counted every second or so; a round takes milliseconds. */
const ROUNDS = 6;

/**
 * What each tenant is afterwards; null for one whose ledger kept changing. Leaves out tenants that were deleted, or
 * have another subject by now. @throws when Postgres cannot be reached.
 */
export async function observeReads(
  reads: readonly SubjectRead[],
  now: Instant,
  deps: ObserveDeps,
): Promise<ReadonlyMap<TenantId, Observed | null>> {
  const observed = new Map<TenantId, Observed | null>();
  for (const wave of wavesOf(reads)) {
    for (const [tenantId, outcome] of await applyWave(wave, now, deps)) {
      const before = observed.get(tenantId);
      const fall = outcome?.fall ?? before?.fall ?? null;
      const reset = outcome?.reset ?? before?.reset ?? null;
      observed.set(tenantId, outcome && { ...outcome, fall, reset });
    }
  }
  return observed;
}

/** The first read of each tenant, then the second of each, and so on. */
function wavesOf(reads: readonly SubjectRead[]): SubjectRead[][] {
  const waves: SubjectRead[][] = [];
  const taken = new Map<TenantId, number>();
  for (const read of reads) {
    const number = taken.get(read.tenantId) ?? 0;
    taken.set(read.tenantId, number + 1);
    waves[number] = [...(waves[number] ?? []), read];
  }
  return waves;
}

async function applyWave(reads: readonly SubjectRead[], now: Instant, deps: ObserveDeps) {
  const observed = new Map<TenantId, Observed | null>();
  let left = reads;
  for (let round = 0; round < ROUNDS && left.length > 0; round++) {
    const done = await applyOnce(left, now, deps);
    for (const [tenantId, outcome] of done) observed.set(tenantId, outcome);
    left = left.filter(({ tenantId }) => done.get(tenantId) === null);
  }
  return observed;
}

/** Null when the tenant is gone. @throws also when its ledger kept changing: the caller tries again later. */
export async function observeRead(read: SubjectRead, now: Instant, deps: ObserveDeps): Promise<Observed | null> {
  const observed = (await observeReads([read], now, deps)).get(read.tenantId);
  if (observed === null) throw new Error("the ledger kept changing");
  return observed ?? null;
}

/** Why a read failed, for a log line. */
export function whyFailed(failure: LiteLlmFailure): string {
  return failure.kind === "unreachable" ? failure.why : failure.kind;
}

/** Null for a tenant whose ledger was changed meanwhile. */
async function applyOnce(
  reads: readonly SubjectRead[],
  now: Instant,
  { ledgers }: ObserveDeps,
): Promise<Map<TenantId, Observed | null>> {
  const asked = reads.map((read) => ({ tenantId: read.tenantId, subject: read.subject, answeredAt: read.answeredAt }));
  const opened = new Map((await ledgers.load(asked)).map((open) => [open.tenant.config.tenantId, open]));
  const counted = reads.flatMap((read) => {
    const open = opened.get(read.tenantId);
    return open === undefined ? [] : [{ read, open, ...countedBy(open, read, now) }];
  });
  const changed = counted.filter(({ open, ledger }) => ledger !== open.ledger);
  const saved = await ledgers.save(
    changed.map(({ read: { tenantId, subject }, open: { version }, ledger }) => ({
      tenantId,
      subject,
      ledger,
      version,
    })),
  );
  const tenants = new Map(saved.map((tenant) => [tenant.config.tenantId, tenant]));
  return new Map(
    counted.map(({ read: { tenantId }, open, ledger, proofAt, unsettledNanoUsd }) => {
      const tenant = ledger === open.ledger ? open.tenant : tenants.get(tenantId);
      if (tenant === undefined) return [tenantId, null] as const;
      const nextReadAt = earliest(proofAt, settlesAt(tenant.config, ledger, unsettledNanoUsd, now));
      const fall = fallOf(open.tenant.spend, ledger);
      const reset = resetBetween(open.tenant, tenant);
      return [tenantId, { tenant, spendNanoUsd: ledger.spendNanoUsd, nextReadAt, fall, reset }] as const;
    }),
  );
}

function resetBetween({ config: before }: TenantRecord, { config }: TenantRecord): BudgetReset | null {
  return periodStartedAt(config) === periodStartedAt(before) ? null : resetOf(config);
}

/** The reset that began the running period. */
export function resetOf(config: TenantConfig): BudgetReset {
  return { eventType: "budget_reset", tenantId: config.tenantId, periodStartedAt: periodStartedAt(config) };
}

function countedBy({ tenant, ledger, calls }: OpenLedger, read: SpendRead, now: Instant): CountedRead {
  const { config, spend: before } = tenant;
  const { blocksAtNanoUsd } = limitAt(config, now);
  return countRead(ledger, read, { period: periodOf(config), calls, blocksAtNanoUsd, now, before });
}
