// Tenants as the consumer of spend opens them, many at once, and by what names LiteLLM leads to them. Types only.

import type { AlertHistory } from "../budget/alerts.ts";
import type { SpendRecord } from "../budget/spend.ts";
import type { KeyHash, Subject, TenantId } from "../budget/tenant.ts";
import type { DeliveryKey } from "./alert-record.ts";
import type { TenantRecord } from "./tenant-record.ts";

/** By what LiteLLM names whose spend something is. */
export type SpendReference =
  | { readonly kind: "key"; readonly id: KeyHash }
  | { readonly kind: "team"; readonly id: string }
  | { readonly kind: "tenant"; readonly id: TenantId };

export interface TenantBatch {
  readonly tenant: TenantRecord;
  readonly history: AlertHistory;
  /** Which of the references led here. */
  readonly references: readonly SpendReference[];
  readonly pending: readonly DeliveryKey[];
}

export interface TenantObservation {
  readonly tenantId: TenantId;
  readonly subject: Subject;
  readonly record: SpendRecord;
}
