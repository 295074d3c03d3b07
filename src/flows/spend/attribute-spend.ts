// Resolves a LiteLLM report to tenants and classifies it: calls, hint, or repeated alert. Decides only. Ignores the
// budgets in a payload.

import type { RepeatedAlert } from "../../budget/find-alerts.ts";
import type { Instant } from "../../budget/instant.ts";
import type { Hint } from "../../budget/schedules/hint.ts";
import type { KeyHash, Subject, TenantConfig, TenantId } from "../../budget/tenant.ts";
import type { ValidSpendMessage } from "../../ports/messages.ts";
import type { SpendReference } from "../../records/tenant.ts";

export type Report = Extract<ValidSpendMessage, { kind: "webhook" | "calls" }>;

type ReportedCaller = (Report & { kind: "calls" })["hints"][number];

/** The contribution of a webhook to the tenant that it resolved to. */
export interface Attribution {
  readonly hint: Hint;
  readonly repeat: RepeatedAlert | null;
}

const SPEND_TRACKED = "spend_tracked";
/** LiteLLM's forecast: a reason to read, and nothing that people are notified of. */
const PROJECTED = "projected_limit_exceeded";

/** The references to resolve, best first; empty when the report names nothing that could be a tenant. */
export function referencesOf(report: Report): readonly SpendReference[] {
  if (report.kind === "calls") return [...report.calls, ...report.hints].flatMap(referencesOfCaller);
  const { event_group: group, key_hash: keyHash, team_id: teamId, user_id: userId } = report;
  const byKey = keyHash === null ? [] : [keyOf(keyHash)];
  if (group === "key") return [...byKey, ...teamOf(teamId)];
  if (group === "team") return teamOf(teamId);
  if (group === "user") return userId === null ? [] : [{ kind: "tenant", id: userId as TenantId }];
  // LiteLLM reports one call's cost for its end user; the key that paid still belongs to the tenant.
  return report.event === SPEND_TRACKED ? [...byKey, ...teamOf(teamId)] : [];
}

/** A call by a key tenant inside a team tenant counts toward both. */
const referencesOfCaller = ({ key_hash: keyHash, team_id: teamId }: ReportedCaller): readonly SpendReference[] => [
  keyOf(keyHash),
  ...teamOf(teamId),
];

/** True when the caller's calls add to the spend of the tenant. */
export function isCallerOf(
  { subject, otherKeys }: Pick<TenantConfig, "subject" | "otherKeys">,
  { key_hash: keyHash, team_id: teamId }: ReportedCaller,
): boolean {
  if (subject.kind === "team") return subject.id === teamId;
  return subject.id === keyHash || otherKeys.some(({ hash }) => hash === keyHash);
}

/** `subject` belongs to the tenant that a reference of the webhook resolved to. */
export function attributeWebhook(report: Report & { kind: "webhook" }, subject: Subject): Attribution {
  const isOwn =
    report.event_group === subject.kind &&
    subject.id === (report.event_group === "key" ? report.key_hash : report.team_id);
  const at = report.received_at;
  if (!isOwn || report.event === SPEND_TRACKED) return { hint: hintAt(at), repeat: null };
  const { spend: announcedNanoUsd } = report;
  const hint = { at, announcedNanoUsd, signedAt: signedAtOf(report) };
  if (report.event === PROJECTED) return { hint, repeat: null };
  if (report.auth === "url_token" || announcedNanoUsd === null) return { hint, repeat: repeatOf(report) };
  return { hint, repeat: { about: { spendNanoUsd: announcedNanoUsd }, receivedAt: at } };
}

/** A hint that states no spend. */
export function hintAt(at: Instant): Hint {
  return { at, announcedNanoUsd: null, signedAt: null };
}

/** Only Standard Webhooks sign the time, and with it an id. A sender's clock may be ahead. */
function signedAtOf(report: Report & { kind: "webhook" }): Instant | null {
  const { auth, webhook_id: id, sent_at: sentAt, received_at: receivedAt } = report;
  return auth === "signature" && id ? Math.min(sentAt, receivedAt) : null;
}

/**
 * Bursar sets LiteLLM's soft budget to the alert threshold and its max_budget to the block threshold. LiteLLM reports
 * both by name (test/litellm/captures/webhook-soft-budget-crossed.json).
 */
function repeatOf({ event, received_at: receivedAt }: Report & { kind: "webhook" }): RepeatedAlert | null {
  if (event === "soft_budget_crossed") return { about: "alert_threshold", receivedAt };
  return event === "budget_crossed" ? { about: "block", receivedAt } : null;
}

function keyOf(hash: string): SpendReference {
  return { kind: "key", id: hash as KeyHash };
}

function teamOf(id: string | null): readonly SpendReference[] {
  return id === null ? [] : [{ kind: "team", id }];
}
