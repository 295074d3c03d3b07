// Alerts as Postgres stores them, and the entry that records them. Types only.

import type { AlertDraft } from "../budget/alert.ts";
import type { AlertEvaluation } from "../budget/find-alerts.ts";
import type { Instant } from "../budget/instant.ts";
import type { NanoUsd } from "../budget/money.ts";
import type { TenantId } from "../budget/tenant.ts";

export type AlertId = string & { readonly brand: "AlertId" };

/** A recorded alert. */
export interface AlertRecord extends AlertDraft {
  readonly id: AlertId;
  readonly tenantId: TenantId;
  readonly createdAt: Instant;
}

export interface AlertBasis {
  readonly revision: number;
  /** Null when no spend is known. */
  /** `any`: the spend does not matter. */
  readonly spendNanoUsd: NanoUsd | null | "any";
}

/** Alerts of one tenant to record in one step. */
export interface AlertEntry {
  readonly tenantId: TenantId;
  /** Optimistic lock: nothing is recorded if another consumer has evaluated the tenant since this evaluation. */
  readonly lastEvaluation: AlertEvaluation | null;
  /** Null for alerts about a change, which need no evaluation. */
  readonly evaluation: AlertEvaluation | null;
  readonly drafts: readonly AlertDraft[];
  /**
   * What the drafts were computed from. Nothing is recorded when Postgres has another revision, or, for a change,
   * another spend.
   */
  readonly basis: AlertBasis;
  readonly now: Instant;
}
