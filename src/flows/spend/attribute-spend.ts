// Whose a report of LiteLLM is, and what it is worth to that tenant: a figure, a hint, or word of an alert. Decides only.
// A payload's budgets are never looked at.

import type { Projection, RepeatedAlert } from "../../budget/alerts.ts";
import type { ReportedObservation } from "../../budget/observation.ts";
import type { KeyHash, Subject, TenantId } from "../../budget/tenant.ts";
import type { ValidSpendMessage } from "../../ports/messages.ts";
import type { SpendReference } from "../../records/tenant-batch.ts";

export type Report = Extract<ValidSpendMessage, { kind: "webhook" | "calls" }>;

/** What a report tells of the tenant that it leads to. */
export interface Attribution {
  readonly observation: ReportedObservation | null;
  /** It is time to read. */
  readonly isHint: boolean;
  readonly repeat: RepeatedAlert | null;
  readonly projection: Projection | null;
}

const SPEND_TRACKED = "spend_tracked";
const PROJECTED = "projected_limit_exceeded";

/** Where to look for its tenant, best first; nowhere when LiteLLM speaks of nobody that could be one. */
export function referencesOf(report: Report): readonly SpendReference[] {
  if (report.kind === "calls") return [keyOf(report.key_hash), ...teamOf(report.team_id)];
  const { event_group: group, key_hash: keyHash, team_id: teamId, user_id: userId } = report;
  const byKey = keyHash === null ? [] : [keyOf(keyHash)];
  if (group === "key") return [...byKey, ...teamOf(teamId)];
  if (group === "team") return teamOf(teamId);
  if (group === "user") return userId === null ? [] : [{ kind: "tenant", id: userId as TenantId }];
  // One call's cost, told of whichever end user made it: the key that paid is the tenant's all the same.
  return report.event === SPEND_TRACKED ? [...byKey, ...teamOf(teamId)] : [];
}

/** `subject` is the tenant's that a reference of the report has led to. */
export function attributionOf(report: Report, subject: Subject): Attribution {
  return report.kind === "calls" ? attributeCalls(report, subject) : attributeWebhook(report, subject);
}

function attributeCalls(report: Report & { kind: "calls" }, subject: Subject): Attribution {
  const isOwn = subject.kind === "key" && subject.id === report.key_hash;
  if (!isOwn || report.spend === null) return HINT;
  const observation: ReportedObservation = {
    spendNanoUsd: report.spend,
    source: report.source,
    begunAt: report.begun_at,
    observedAt: report.received_at,
    resetsAt: report.resets_at,
  };
  return { observation, isHint: false, repeat: null, projection: null };
}

function attributeWebhook(report: Report & { kind: "webhook" }, subject: Subject): Attribution {
  const isOwn =
    report.event_group === subject.kind &&
    subject.id === (report.event_group === "key" ? report.key_hash : report.team_id);
  if (!isOwn || report.event === SPEND_TRACKED) return HINT;
  const receivedAt = report.received_at;
  const projection = report.event === PROJECTED ? projectionOf(report) : null;
  if (report.auth === "url_token" || report.spend === null) {
    return { observation: null, isHint: true, repeat: repeatOf(report), projection };
  }
  const observation: ReportedObservation = {
    spendNanoUsd: report.spend,
    source: "webhook",
    begunAt: report.sent_at,
    observedAt: receivedAt,
    resetsAt: undefined,
  };
  const repeat = projection === null ? { about: { spendNanoUsd: report.spend }, receivedAt } : null;
  return { observation, isHint: false, repeat, projection };
}

const HINT: Attribution = { observation: null, isHint: true, repeat: null, projection: null };

/** LiteLLM's soft budget is our alert threshold, and its max_budget our blocking line. */
function repeatOf({ event, received_at: receivedAt }: Report & { kind: "webhook" }): RepeatedAlert | null {
  if (event === "soft_budget_crossed") return { about: "alert_threshold", receivedAt };
  return event === "budget_crossed" ? { about: "block", receivedAt } : null;
}

function projectionOf(report: Report & { kind: "webhook" }): Projection {
  return {
    projectedSpendNanoUsd: report.projected_spend,
    exceededDate: report.projected_exceeded_date,
    receivedAt: report.received_at,
  };
}

function keyOf(hash: string): SpendReference {
  return { kind: "key", id: hash as KeyHash };
}

function teamOf(id: string | null): readonly SpendReference[] {
  return id === null ? [] : [{ kind: "team", id }];
}
