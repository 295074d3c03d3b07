// Alerts as Postgres stores them, and the entry that records them. Types only.

import type { AlertDraft, AlertEvaluation } from "../budget/alerts.ts";
import type { Instant, TenantId } from "../budget/tenant.ts";

export type AlertId = string & { readonly brand: "AlertId" };

/** An alert as it was recorded. */
export interface AlertRecord extends AlertDraft {
  readonly id: AlertId;
  readonly tenantId: TenantId;
  readonly createdAt: Instant;
}

/** Alerts to be recorded in one step. */
export interface AlertEntry {
  readonly tenantId: TenantId;
  /** As it was read with the standing: whoever has looked meanwhile wins. */
  readonly lastEvaluation: AlertEvaluation | null;
  /** Null for alerts of a change, which depend on no look. */
  readonly evaluation: AlertEvaluation | null;
  readonly drafts: readonly AlertDraft[];
  readonly now: Instant;
}
