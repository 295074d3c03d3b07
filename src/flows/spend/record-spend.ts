// Processes one batch of the spend queue: resolves its messages to tenants, merges them per tenant, counts and records
// their spend, announces alerts, publishes to the edge, and reads LiteLLM where a read is due. Every step may be
// repeated: after a crash the queue redelivers the messages.

import { settlesAt } from "../../budget/counting.ts";
import { earliest, type Instant } from "../../budget/instant.ts";
import { limitVersion } from "../../budget/limit.ts";
import { groupHints } from "../../budget/schedules/hint.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { AuditNote } from "../../records/audit.ts";
import type { CountedSpend } from "../../records/ledger.ts";
import type { SpendReference, TenantBatch, TenantFault, TenantRecord, UnreadableTenant } from "../../records/tenant.ts";
import { type AnnounceDeps, announceAlerts, sendNotices } from "../alerts/announce-alerts.ts";
import { announceReset } from "../alerts/announce-change.ts";
import { type Observed, observeReads, type SubjectRead } from "../counting/observe.ts";
import { publishSpend } from "../edge/publish-spend.ts";
import { rewriteConfig } from "../edge/rewrite-config.ts";
import { syncAndPublish } from "../litellm/sync-pending.ts";
import { mapConcurrently } from "../waiting.ts";
import { hintAt, type Report, referencesOf } from "./attribute-spend.ts";
import { noteReports, noteUnmatched } from "./audit-reports.ts";
import { type Incoming, type MergedBatch, mergeBatch } from "./merge-batch.ts";
import { reportFalls } from "./report-falls.ts";
import { confirmLater, runScheduledRead, type ScheduledReadDeps } from "./scheduled-read.ts";

type ApplyDeps = AnnounceDeps & ScheduledReadDeps & Pick<Ports, "snapshots" | "cipher">;

export interface RecordSpendInput {
  readonly incoming: readonly Incoming[];
  readonly now: Instant;
}

/** How many tenants at a time: each waits for Postgres, KV and sometimes LiteLLM, and a Worker has six connections. */
const TENANTS_AT_ONCE = 4;

/** Returns the messages to redeliver; the consumer acknowledges all others. @throws when Postgres cannot be reached. */
export async function recordSpend(
  { incoming, now }: RecordSpendInput,
  deps: ApplyDeps,
): Promise<ReadonlySet<Incoming>> {
  const withPending = incoming.some(({ isRedelivery }) => isRedelivery);
  const unreadable: UnreadableTenant[] = [];
  const onUnreadable = (tenant: UnreadableTenant) => void unreadable.push(tenant);
  const tenantBatches = await deps.spendBatches.load(referencesTo(incoming), { withPending, onUnreadable });
  const { groups, unmatched } = groupByTenant(incoming, tenantBatches, unreadable);
  const failed = new Set<Incoming>();
  // By group, because tenants share messages: one tenant's failure must not drop the other messages of its neighbours.
  const failedGroups = new Set<Group>();
  const attempt: Attempt = async (group, work) => {
    try {
      return await work();
    } catch (cause) {
      const { tenantId, messages } = group;
      deps.log.error("spend messages failed", cause, { tenant_id: tenantId, messages: messages.length });
      for (const message of messages) failed.add(message);
      failedGroups.add(group);
      return null;
    }
  };

  const faults = new Map(unreadable.map(({ tenantId, cause }) => [tenantId, cause]));
  const throwFaultOf = ({ tenantId }: Group) => {
    if (faults.has(tenantId)) throw faults.get(tenantId);
  };
  await mapConcurrently(groups, TENANTS_AT_ONCE, (group) =>
    attempt(group, async () => {
      throwFaultOf(group);
      await evaluateBefore(group, now, deps);
    }),
  );
  const mergedGroups = groups
    .filter((group) => !failedGroups.has(group))
    .map((group) => ({
      group,
      merged: group.tenantBatch === null ? null : mergeBatch(group.tenantBatch, group.messages, now),
    }));
  const merges = mergedGroups.flatMap(({ merged }) => merged ?? []);
  const calls = merges.flatMap((merged) => merged.calls);
  const notes = notesOf(groups, unmatched);
  const onFault = ({ tenantId, cause }: TenantFault) => void faults.set(tenantId, cause);
  const counted = await deps.spendBatches.count({ calls, bounds: [], notes }, now, onFault);
  const recorded = new Map<Group, TenantRecord | null>();
  await mapConcurrently(mergedGroups, TENANTS_AT_ONCE, async ({ group, merged }) => {
    const recordMerged = async (each: MergedBatch) => {
      throwFaultOf(group);
      return recordAndNotify({ merged: each, counted, now }, deps);
    };
    const tenant = merged === null ? null : await attempt(group, () => recordMerged(merged));
    recorded.set(group, tenant);
    await attempt(group, async () => {
      if (hasMessage(group, "rewrite_config")) await rewriteConfig({ tenantId: group.tenantId, now }, deps);
      if (merged !== null && tenant !== null) await publishToEdge(tenant, { merged, counted, now }, deps);
    });
  });
  // In a second pass, so that no tenant's alert waits for a slow LiteLLM read of another tenant.
  await mapConcurrently(mergedGroups, TENANTS_AT_ONCE, async ({ group, merged }) => {
    const tenant = recorded.get(group) ?? null;
    if (merged !== null && tenant !== null) {
      await attempt(group, () => readLiteLlm(tenant, { merged, counted, now }, deps));
    }
    if (hasMessage(group, "sync_litellm")) {
      await attempt(group, () => syncAndPublish({ tenantId: group.tenantId, now }, deps));
    }
  });
  return failed;
}

interface Recording {
  readonly merged: MergedBatch;
  /** The spend of the tenants of the batch, after its calls. */
  readonly counted: ReadonlyMap<TenantId, CountedSpend>;
  readonly now: Instant;
}

/**
 * Applies the reads of checks, then announces. Returns the tenant as Postgres has it now; null when it was deleted
 * meanwhile. @throws when the messages must be redelivered.
 */
async function recordAndNotify({ merged, counted, now }: Recording, deps: ApplyDeps): Promise<TenantRecord | null> {
  const { tenantBatch, reads, repeats, reasons } = merged;
  const before = tenantBatch.tenant;
  const after = counted.get(before.config.tenantId);
  const observed = await applyReads({ ...before, spend: after?.record ?? before.spend }, reads, now, deps);
  if (observed === null) return null;
  const { tenant } = observed;
  const nextReadAt = earliest(observed.nextReadAt, after === undefined ? null : settledBy(after, tenant, now));
  const { history } = tenantBatch;
  await announceReset(observed, now, deps);
  await announceAlerts({ tenantBatch: { tenant, history }, isBaseline: false, repeats, now }, deps);
  // A crashed delivery recorded these in Postgres and did not put them on the queue.
  await sendNotices(tenantBatch.pending, deps);
  // When a confirmation is due, the read that follows decides whether to schedule another one.
  if (!reasons.includes("confirm")) await confirmLater({ tenant, now }, nextReadAt, deps);
  return tenant;
}

/** When a read is due because of counted calls that the base may or may not contain. */
function settledBy({ record, baseAnsweredAt, unsettledNanoUsd }: CountedSpend, { config }: TenantRecord, now: Instant) {
  if (baseAnsweredAt === null) return null;
  return settlesAt(config, { spendNanoUsd: record.spendNanoUsd, baseAnsweredAt }, unsettledNanoUsd, now);
}

async function applyReads(
  tenant: TenantRecord,
  reads: readonly SubjectRead[],
  now: Instant,
  deps: ApplyDeps,
): Promise<Pick<Observed, "tenant" | "nextReadAt" | "reset"> | null> {
  if (reads.length === 0) return { tenant, nextReadAt: null, reset: null };
  const observed = (await observeReads(reads, now, deps)).get(tenant.config.tenantId);
  if (observed === null) throw new Error("the ledger kept changing");
  if (observed === undefined) return null;
  await reportFalls([observed], now, deps);
  return observed;
}

/** Never fails for KV: see edge/publish.ts. */
async function publishToEdge(
  tenant: TenantRecord,
  { merged, counted, now }: Recording,
  deps: ApplyDeps,
): Promise<void> {
  const before = merged.tenantBatch.tenant.spend;
  const after = counted.get(tenant.config.tenantId);
  const hasCounted = after !== undefined && after.record.spendNanoUsd !== before?.spendNanoUsd;
  // A check publishes its own read. What replaces the spend here has an epoch that the check does not know.
  const isNews = hasCounted || merged.isRedelivery || tenant.spend?.epoch !== before?.epoch;
  if (isNews || merged.reads.length > 0) await publishSpend({ tenant, isAnnounced: !isNews, now }, deps);
}

/** Reads LiteLLM, then announces and publishes the result. @throws when the messages must be redelivered. */
async function readLiteLlm(before: TenantRecord, { merged, counted, now }: Recording, deps: ApplyDeps): Promise<void> {
  const { tenantBatch, reasons } = merged;
  // Calls of a tenant without a base wait for a read to be added to.
  const lacksBase = (counted.get(before.config.tenantId)?.baseAnsweredAt ?? null) === null;
  const hints = merged.calls.length > 0 && lacksBase ? groupHints([...merged.hints, hintAt(now)], now) : merged.hints;
  if (hints.length === 0 && reasons.length === 0) return;
  const observed = await runScheduledRead({ tenant: before, hints, reasons, now }, deps);
  if (observed === null) return;
  const { tenant, nextReadAt } = observed;
  const { history } = tenantBatch;
  await announceReset(observed, now, deps);
  await announceAlerts({ tenantBatch: { tenant, history }, isBaseline: false, repeats: [], now }, deps);
  await confirmLater({ tenant, now }, nextReadAt, deps);
  // A read that waits for a reset is worth a write only when the reset shows, and then the config is newer.
  const awaitsReset = hints.length === 0 && reasons.every((reason) => reason === "period-end");
  await publishSpend({ tenant, isAnnounced: awaitsReset, now }, deps);
}

/** Null when `work` failed; only the messages of its own tenant are then redelivered. */
type Attempt = <T>(group: Group, work: () => Promise<T>) => Promise<T | null>;

interface Group {
  readonly tenantId: TenantId;
  /** Null when there is no such tenant, it was deleted, or its row cannot be read. */
  readonly tenantBatch: TenantBatch | null;
  readonly messages: readonly Incoming[];
}

/** Each reference once. */
function referencesTo(incoming: readonly Incoming[]): SpendReference[] {
  const references = incoming.flatMap(({ body }) => referencesIn(body));
  return [...new Map(references.map((reference) => [referenceKey(reference), reference])).values()];
}

function referencesIn(body: Incoming["body"]): readonly SpendReference[] {
  return isReport(body) ? referencesOf(body) : [{ kind: "tenant", id: body.tenant_id }];
}

function groupByTenant(
  incoming: readonly Incoming[],
  tenantBatches: readonly TenantBatch[],
  unreadable: readonly UnreadableTenant[],
) {
  const byReference = new Map(
    [
      ...tenantBatches.map((each) => ({ ...each, tenantId: each.tenant.config.tenantId, tenantBatch: each })),
      ...unreadable.map((each) => ({ ...each, tenantBatch: null })),
    ].flatMap((named) => named.references.map((name) => [referenceKey(name), named] as const)),
  );
  const groups = new Map<TenantId, Group & { readonly messages: Incoming[] }>();
  const unmatched: Incoming[] = [];
  const add = (tenantId: TenantId, tenantBatch: TenantBatch | null, message: Incoming) => {
    const group = groups.get(tenantId) ?? { tenantId, tenantBatch, messages: [] };
    groups.set(tenantId, group);
    group.messages.push(message);
  };
  for (const message of incoming) {
    const { body } = message;
    const found = new Set(referencesIn(body).flatMap((each) => byReference.get(referenceKey(each)) ?? []));
    // A call by a key tenant inside a team tenant counts toward both.
    const named = body.kind === "calls" ? [...found] : [...found].slice(0, 1);
    for (const { tenantId, tenantBatch } of named) add(tenantId, tenantBatch, message);
    if (named.length > 0) continue;
    if (isReport(body)) unmatched.push(message);
    else add(body.tenant_id, null, message);
  }
  return { groups: [...groups.values()], unmatched };
}

const referenceKey = ({ kind, id }: SpendReference): string => `${kind}/${id}`;

function isReport(body: Incoming["body"]): body is Report {
  return body.kind === "webhook" || body.kind === "calls";
}

/**
 * Evaluates the spend from before the batch: the baseline of an adopted tenant, and the thresholds that are still
 * exceeded under a new limit. The spend that the batch brings belongs to neither and is evaluated afterwards.
 */
export async function evaluateBefore(
  { tenantBatch }: Pick<Group, "tenantBatch">,
  now: Instant,
  deps: AnnounceDeps,
): Promise<void> {
  if (tenantBatch === null || tenantBatch.tenant.spend === null) return;
  const { tenant, history } = tenantBatch;
  const isBaseline = tenant.adopted && history.lastEvaluation === null;
  const isNewLimit =
    history.lastEvaluation !== null && history.lastEvaluation.limitVersion !== limitVersion(tenant.config, now);
  if (isBaseline || isNewLimit) await announceAlerts({ tenantBatch, isBaseline, repeats: [], now }, deps);
}

function notesOf(groups: readonly Group[], unmatched: readonly Incoming[]): AuditNote[] {
  return [...groups.flatMap(({ tenantId, messages }) => noteReports(tenantId, messages)), ...noteUnmatched(unmatched)];
}

/** Requests that do not concern spend; they are processed for deleted tenants too. */
function hasMessage({ messages }: Group, kind: "rewrite_config" | "sync_litellm"): boolean {
  return messages.some(({ body }) => body.kind === kind);
}
