// Merges all messages of a batch for one tenant: the calls to count, the reads to apply, the repeated alerts, and the
// hints and reasons to read it. Decides only. The order of the messages does not matter.

import { isCountable } from "../../budget/counting.ts";
import type { RepeatedAlert } from "../../budget/find-alerts.ts";
import type { Instant } from "../../budget/instant.ts";
import { isPastReset } from "../../budget/period.ts";
import { groupHints, type Hint } from "../../budget/schedules/hint.ts";
import type { ValidSpendMessage } from "../../ports/messages.ts";
import type { LedgerCall, LedgerOwner } from "../../records/ledger.ts";
import type { TenantBatch, TenantRecord } from "../../records/tenant.ts";
import type { SubjectRead } from "../counting/observe.ts";
import { attributeWebhook, hintAt, isCallerOf } from "./attribute-spend.ts";
import { RECHECK_SECONDS, type ReasonToRead } from "./scheduled-read.ts";

export interface Incoming {
  readonly body: ValidSpendMessage;
  /** The queue's id of the message, the same at every delivery. */
  readonly messageId: string;
  readonly isRedelivery: boolean;
}

type ReportedCall = Extract<ValidSpendMessage, { kind: "calls" }>["calls"][number];

export interface MergedBatch {
  readonly tenantBatch: TenantBatch;
  readonly calls: readonly LedgerCall[];
  /** Reads by checks that Postgres does not have yet. */
  readonly reads: readonly SubjectRead[];
  readonly repeats: readonly RepeatedAlert[];
  readonly hints: readonly Hint[];
  readonly reasons: readonly ReasonToRead[];
  readonly isRedelivery: boolean;
}

export function mergeBatch(tenantBatch: TenantBatch, messages: readonly Incoming[], now: Instant): MergedBatch {
  const { tenant } = tenantBatch;
  const { subject } = tenant.config;
  const bodies = messages.map(({ body }) => body);
  const webhooks = bodies.flatMap((body) => (body.kind === "webhook" ? [attributeWebhook(body, subject)] : []));
  const { calls, hints } = mergeCalls(tenant, bodies, now);
  const { reasons, rechecks } = scheduledReadsOf(bodies, now);
  return {
    tenantBatch,
    calls,
    reads: bodies.flatMap((body) => readOf(tenant, body) ?? []),
    repeats: webhooks.flatMap(({ repeat }) => repeat ?? []),
    hints: groupHints([...webhooks.map(({ hint }) => hint), ...hints, ...rechecks], now),
    reasons,
    isRedelivery: messages.some(({ isRedelivery }) => isRedelivery),
  };
}

/** Calls too old to count, and calls past the end of the known period, are worth a read. */
function mergeCalls({ config, spend }: TenantRecord, bodies: readonly ValidSpendMessage[], now: Instant) {
  const { tenantId, subject } = config;
  const merged = { calls: [] as LedgerCall[], hints: [] as Hint[] };
  for (const report of bodies) {
    if (report.kind !== "calls") continue;
    const ended = report.calls.filter((call) => isCallerOf(config, call)).map(callOf);
    const countable = ended.filter((call) => isCountable(call, now));
    merged.calls.push(...countable.map((call) => ({ tenantId, subject, ...call })));
    const isHinted = report.hints.some((caller) => isCallerOf(config, caller));
    // LiteLLM may have added them to the next period.
    const isPastEnd = ended.some(({ endedAt }) => spend !== null && isPastReset(spend, endedAt));
    if (isHinted || isPastEnd || countable.length < ended.length) merged.hints.push(hintAt(report.received_at));
  }
  return merged;
}

function callOf({ id, ended_at: endedAt, cost: costNanoUsd }: ReportedCall): Omit<LedgerCall, keyof LedgerOwner> {
  return { id, endedAt, costNanoUsd };
}

/** Null for a read of a former subject of this tenant id. */
function readOf({ config: { tenantId, subject } }: TenantRecord, body: ValidSpendMessage): SubjectRead | null {
  if (body.kind !== "read" || body.subject_id !== subject.id) return null;
  const { spend: spendNanoUsd, asked_at: begunAt, answered_at: answeredAt, resets_at: resetsAt } = body;
  return { tenantId, subject, spendNanoUsd, begunAt, answeredAt, resetsAt };
}

/** Reads due for a former key of the tenant too: its new key may have spent what they were to see. */
function scheduledReadsOf(bodies: readonly ValidSpendMessage[], now: Instant) {
  const due = bodies.flatMap((body) => (body.kind === "read_due" ? [body] : []));
  const reasons = new Set<ReasonToRead>();
  const rechecks: Hint[] = [];
  for (const { reason, hinted_at: hintedAt, announced, signed_at: signedAt } of due) {
    if (reason === "confirm" || reason === "period-end") reasons.add(reason);
    else {
      const at = hintedAt ?? now - RECHECK_SECONDS * 1_000;
      rechecks.push({ at, announcedNanoUsd: announced ?? null, signedAt: signedAt ?? null });
    }
  }
  return { reasons: [...reasons], rechecks };
}
