// Resolves a LiteLLM report to a tenant and classifies it: observation, hint, or repeated alert. Decides only.
// Ignores the budgets in a payload.

import type { Projection, RepeatedAlert } from "../../budget/find-alerts.ts";
import type { ReportedObservation } from "../../budget/reported-spend.ts";
import type { KeyHash, Subject, TenantId } from "../../budget/tenant.ts";
import type { ValidSpendMessage } from "../../ports/messages.ts";
import type { SpendReference } from "../../records/tenant.ts";

export type Report = Extract<ValidSpendMessage, { kind: "webhook" | "calls" }>;

/** The contribution of a report to the tenant that it resolved to. */
export interface Attribution {
  readonly observation: ReportedObservation | null;
  /** The report is only worth a read. */
  readonly isHint: boolean;
  readonly repeat: RepeatedAlert | null;
  readonly projection: Projection | null;
}

const SPEND_TRACKED = "spend_tracked";
const PROJECTED = "projected_limit_exceeded";

/** The references to resolve, best first; empty when the report names nothing that could be a tenant. */
export function referencesOf(report: Report): readonly SpendReference[] {
  if (report.kind === "calls") return [keyOf(report.key_hash), ...teamOf(report.team_id)];
  const { event_group: group, key_hash: keyHash, team_id: teamId, user_id: userId } = report;
  const byKey = keyHash === null ? [] : [keyOf(keyHash)];
  if (group === "key") return [...byKey, ...teamOf(teamId)];
  if (group === "team") return teamOf(teamId);
  if (group === "user") return userId === null ? [] : [{ kind: "tenant", id: userId as TenantId }];
  // LiteLLM reports one call's cost for its end user; the key that paid still belongs to the tenant.
  return report.event === SPEND_TRACKED ? [...byKey, ...teamOf(teamId)] : [];
}

/** `subject` belongs to the tenant that a reference of the report resolved to. */
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

/**
 * Bursar sets LiteLLM's soft budget to the alert threshold and its max_budget to the block threshold. LiteLLM reports
 * both by name (test/litellm/captures/webhook-soft-budget-crossed.json).
 */
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
