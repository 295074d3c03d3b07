// What the spend queue brings, a batch at a time: attributes it, folds it per tenant, records figures and alerts, tells
// the edge and people. Every step may be repeated, and a crash between any two loses nothing: the messages come again.

import { limitVersion } from "../../budget/limit.ts";
import type { Instant, TenantId } from "../../budget/tenant.ts";
import type { AuditNote } from "../../records/alert-record.ts";
import type { SpendReference, TenantBatch, TenantObservation } from "../../records/tenant-batch.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { type AnnounceDeps, announceAlerts } from "../alerts/announce-alerts.ts";
import { rewriteConfig } from "../edge/rewrite-config.ts";
import { syncAndPublish } from "../litellm/sync-pending.ts";
import { mapConcurrently } from "../waiting.ts";
import { askLiteLlm, notify, publishToEdge, type SettleDeps } from "./apply-batch.ts";
import { type Report, referencesOf } from "./attribute-spend.ts";
import { noteReports, noteUnmatched } from "./audit-reports.ts";
import { type Fold, type Incoming, mergeBatch } from "./merge-batch.ts";
import { type DuplicateDeps, noteDone, skipDuplicates } from "./skip-duplicates.ts";

export interface RecordSpendInput {
  readonly incoming: readonly Incoming[];
  readonly now: Instant;
}

/** Tenants at a time: each waits for Postgres, KV and sometimes LiteLLM, and a Worker has six connections. */
const TENANTS_AT_ONCE = 4;

/** Answers the messages that must come again; the others are done with. @throws when not even Postgres could be asked. */
export async function recordSpend(
  { incoming, now }: RecordSpendInput,
  deps: SettleDeps & DuplicateDeps,
): Promise<ReadonlySet<Incoming>> {
  const { fresh, isAsked } = await skipDuplicates(incoming, deps);
  const failed = await recordFresh({ incoming: fresh, now }, deps);
  // Last of all: what is noted before everything is done would be lost by a crash, or by a replay of its dead letter.
  const done = fresh.filter((message) => !failed.has(message));
  if (isAsked) await noteDone(done, deps);
  return failed;
}

async function recordFresh({ incoming, now }: RecordSpendInput, deps: SettleDeps): Promise<ReadonlySet<Incoming>> {
  const withPending = incoming.some(({ isRedelivery }) => isRedelivery);
  const tenantBatches = await deps.spendBatches.open(referencesTo(incoming), { withPending });
  const { groups, unmatched } = groupByTenant(incoming, tenantBatches);
  const failed = new Set<Incoming>();
  const attempt: Attempt = async ({ tenantId, messages }, work) => {
    try {
      return await work();
    } catch (cause) {
      deps.log.error("spend messages failed", cause, { tenant_id: tenantId, messages: messages.length });
      for (const message of messages) failed.add(message);
      return null;
    }
  };

  await mapConcurrently(groups, TENANTS_AT_ONCE, (group) => attempt(group, () => evaluateBefore(group, now, deps)));
  const folded = groups
    .filter(({ messages }) => !messages.some((message) => failed.has(message)))
    .map((group) => ({
      group,
      fold: group.tenantBatch === null ? null : mergeBatch(group.tenantBatch, group.messages),
    }));
  const observations = folded.flatMap(({ fold }) => (fold === null ? [] : observationOf(fold)));
  await deps.spendBatches.record(observations, notesOf(groups, unmatched, now));
  const recorded = new Map<Group, TenantRecord | null>();
  await mapConcurrently(folded, TENANTS_AT_ONCE, async ({ group, fold }) => {
    const tenant = fold === null ? null : await attempt(group, () => notify({ fold, now }, deps));
    recorded.set(group, tenant);
    await attempt(group, async () => {
      if (isAsked(group, "rewrite_config")) await rewriteConfig({ tenantId: group.tenantId, now }, deps);
      if (fold !== null && tenant !== null) await publishToEdge(tenant, { fold, now }, deps);
    });
  });
  // Nobody's alert waits for what LiteLLM answers of another tenant, or takes its time to answer.
  await mapConcurrently(folded, TENANTS_AT_ONCE, async ({ group, fold }) => {
    const tenant = recorded.get(group) ?? null;
    if (fold !== null && tenant !== null) await attempt(group, () => askLiteLlm(tenant, { fold, now }, deps));
    if (isAsked(group, "sync_litellm")) {
      await attempt(group, () => syncAndPublish({ tenantId: group.tenantId, now }, deps));
    }
  });
  return failed;
}

/** What fails counts against the messages of its tenant alone, and is null. */
type Attempt = <T>(group: Group, work: () => Promise<T>) => Promise<T | null>;

interface Group {
  readonly tenantId: TenantId;
  /** Null when there is no such tenant, or none any more. */
  readonly tenantBatch: TenantBatch | null;
  readonly messages: readonly Incoming[];
}

/** Each once. */
function referencesTo(incoming: readonly Incoming[]): SpendReference[] {
  const references = incoming.flatMap(({ body }) => referencesIn(body));
  return [...new Map(references.map((reference) => [nameOf(reference), reference])).values()];
}

function referencesIn(body: Incoming["body"]): readonly SpendReference[] {
  return isReport(body) ? referencesOf(body) : [{ kind: "tenant", id: body.tenant_id }];
}

function groupByTenant(incoming: readonly Incoming[], tenantBatches: readonly TenantBatch[]) {
  const byReference = new Map(
    tenantBatches.flatMap((each) => each.references.map((name) => [nameOf(name), each] as const)),
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
    const found = new Set(referencesIn(body).flatMap((each) => byReference.get(nameOf(each)) ?? []));
    // Calls of a key that is a tenant itself are its team's spend as well.
    const tenantBatches = body.kind === "calls" ? [...found] : [...found].slice(0, 1);
    for (const tenantBatch of tenantBatches) add(tenantBatch.tenant.config.tenantId, tenantBatch, message);
    if (tenantBatches.length > 0) continue;
    if (isReport(body)) unmatched.push(message);
    else add(body.tenant_id, null, message);
  }
  return { groups: [...groups.values()], unmatched };
}

const nameOf = ({ kind, id }: SpendReference): string => `${kind}/${id}`;

function isReport(body: Incoming["body"]): body is Report {
  return body.kind === "webhook" || body.kind === "calls";
}

/**
 * Looks at the figure from before the batch: how an adopted tenant was found, and what is exceeded still under a limit
 * that is new. What the batch brings is news, not part of either.
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
  if (isBaseline || isNewLimit)
    await announceAlerts({ tenantBatch, isBaseline, repeats: [], projections: [], now }, deps);
}

function observationOf({ tenantBatch, tenant }: Fold): TenantObservation[] {
  const { config, spend: record } = tenant;
  if (record === null || record === tenantBatch.tenant.spend) return [];
  return [{ tenantId: config.tenantId, subject: config.subject, record }];
}

function notesOf(groups: readonly Group[], unmatched: readonly Incoming[], now: Instant): AuditNote[] {
  return [
    ...groups.flatMap(({ tenantId, messages }) => noteReports(tenantId, messages, now)),
    ...noteUnmatched(unmatched, now),
  ];
}

/** These have nothing to do with spend, and are done for deleted tenants too. */
function isAsked({ messages }: Group, kind: "rewrite_config" | "sync_litellm"): boolean {
  return messages.some(({ body }) => body.kind === kind);
}
