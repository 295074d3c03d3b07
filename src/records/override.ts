// Overrides as Postgres stores them, and the changes to them. Types only.

import type { Instant } from "../budget/instant.ts";
import type { Override, TenantId } from "../budget/tenant.ts";
import type { TenantRecord } from "./tenant.ts";

export interface OverrideRecord extends Override {
  readonly tenantId: TenantId;
  readonly reason: string;
  readonly createdBy: string;
  readonly revokedBy: string | null;
}

/** Takes effect when it is granted. */
export type NewOverride = Pick<OverrideRecord, "id" | "tenantId" | "amountNanoUsd" | "expiresAt" | "reason">;

export interface OverrideKey {
  readonly tenantId: TenantId;
  /** A UUID. */
  readonly overrideId: string;
}

/** Tenant and override after the change. */
export interface ChangedOverride {
  readonly tenant: TenantRecord;
  readonly override: OverrideRecord;
  /** False when there was nothing to change: no revision was bumped, no audit line written. */
  readonly hasChanged: boolean;
}

/** An override that ends soon, of a tenant whose limits Bursar has set in LiteLLM. */
export interface EndingOverride {
  readonly tenantId: TenantId;
  readonly expiresAt: Instant;
}
