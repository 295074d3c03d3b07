// Merges all messages of a batch for one tenant: the calls and amounts to count, the reads to apply, the repeated
// alerts, and the reasons to read it. Decides only. The order of the messages does not matter.

import { isCountable } from "../../budget/counting.ts";
import type { Projection, RepeatedAlert } from "../../budget/find-alerts.ts";
import type { Instant } from "../../budget/instant.ts";
import { isPastReset, isSentIn, latestPeriod } from "../../budget/period.ts";
import type { ReadReason, ValidSpendMessage } from "../../ports/messages.ts";
import type { LedgerCall, SpendBound } from "../../records/ledger.ts";
import type { TenantBatch, TenantRecord } from "../../records/tenant.ts";
import type { SubjectRead } from "../counting/observe.ts";
import { attributeWebhook, isCallerOf, type ReportedAmount } from "./attribute-spend.ts";

export interface Incoming {
  readonly body: ValidSpendMessage;
  /** The queue's id of the message, the same at every delivery. */
  readonly messageId: string;
  readonly isRedelivery: boolean;
}

export interface MergedBatch {
  readonly tenantBatch: TenantBatch;
  readonly calls: readonly LedgerCall[];
  readonly bounds: readonly SpendBound[];
  /** Reads by checks that Postgres does not have yet. */
  readonly reads: readonly SubjectRead[];
  readonly repeats: readonly RepeatedAlert[];
  readonly projections: readonly Projection[];
  readonly isHinted: boolean;
  readonly reasons: readonly ReadReason[];
  readonly isRedelivery: boolean;
}

export function mergeBatch(tenantBatch: TenantBatch, messages: readonly Incoming[], now: Instant): MergedBatch {
  const { tenant } = tenantBatch;
  const { subject } = tenant.config;
  const bodies = messages.map(({ body }) => body);
  const webhooks = bodies.flatMap((body) => (body.kind === "webhook" ? [attributeWebhook(body, subject)] : []));
  const bounds = webhooks.flatMap(({ amount }) => (amount === null ? [] : [boundOf(tenant, amount)]));
  const { calls, isHinted } = mergeCalls(tenant, bodies, now);
  return {
    tenantBatch,
    calls,
    bounds: bounds.filter((bound) => bound !== null),
    reads: bodies.flatMap((body) => readOf(tenant, body) ?? []),
    repeats: webhooks.flatMap(({ repeat }) => repeat ?? []),
    projections: webhooks.flatMap(({ projection }) => projection ?? []),
    // An amount that may belong to another period does not count, but the webhook is a hint.
    isHinted: isHinted || bounds.includes(null) || webhooks.some(({ isHint }) => isHint),
    reasons: reasonsOf(bodies, subject.id),
    isRedelivery: messages.some(({ isRedelivery }) => isRedelivery),
  };
}

/** Calls too old to count, and calls past the end of the known period, are worth a read. */
function mergeCalls({ config, spend }: TenantRecord, bodies: readonly ValidSpendMessage[], now: Instant) {
  const { tenantId, subject } = config;
  const reports = bodies.flatMap((body) => (body.kind === "calls" ? [body] : []));
  const own = reports.flatMap((report) => report.calls).filter((call) => isCallerOf(config, call));
  const ended = own.map(
    ({ id, ended_at: endedAt, cost: costNanoUsd }): LedgerCall => ({ tenantId, subject, id, endedAt, costNanoUsd }),
  );
  const calls = ended.filter((call) => isCountable(call, now));
  const isHinted = reports.some(({ hints }) => hints.some((caller) => isCallerOf(config, caller)));
  // LiteLLM may have added them to the next period.
  const isPastEnd = ended.some(({ endedAt }) => spend !== null && isPastReset(spend, endedAt));
  return { calls, isHinted: isHinted || isPastEnd || calls.length < ended.length };
}

/** Null when the amount may belong to another period. */
function boundOf({ config, spend, periodSeenAt }: TenantRecord, amount: ReportedAmount): SpendBound | null {
  const { tenantId, subject } = config;
  const period = latestPeriod(config, spend);
  if (!isSentIn(period, amount.sentAt, periodSeenAt)) return null;
  const { spendNanoUsd, receivedAt: observedAt } = amount;
  return { tenantId, subject, spendNanoUsd, observedAt, periodStartedAt: period.startedAt, resetsAt: period.resetsAt };
}

/** Null for a read of a former subject of this tenant id. */
function readOf({ config: { tenantId, subject } }: TenantRecord, body: ValidSpendMessage): SubjectRead | null {
  if (body.kind !== "read" || body.subject_id !== subject.id) return null;
  const { spend: spendNanoUsd, asked_at: begunAt, answered_at: answeredAt, resets_at: resetsAt } = body;
  return { tenantId, subject, spendNanoUsd, begunAt, answeredAt, resetsAt };
}

function reasonsOf(bodies: readonly ValidSpendMessage[], subjectId: string): ReadReason[] {
  const due = bodies.flatMap((body) =>
    body.kind === "read_due" && body.subject_id === subjectId ? [body.reason] : [],
  );
  return [...new Set(due)];
}
