// Overrides as Postgres keeps them, and what is asked of them. Types only, shared by flows and ports.

import type { Instant } from "../budget/instant.ts";
import type { Override, TenantId } from "../budget/tenant.ts";
import type { TenantRecord } from "./tenant-record.ts";

export interface OverrideRecord extends Override {
  readonly tenantId: TenantId;
  readonly reason: string;
  readonly createdBy: string;
  readonly revokedBy: string | null;
}

/** It counts from the moment at which it is granted. */
export type NewOverride = Pick<OverrideRecord, "id" | "tenantId" | "amountNanoUsd" | "expiresAt" | "reason">;

export interface OverrideKey {
  readonly tenantId: TenantId;
  /** A uuid. */
  readonly overrideId: string;
}

/** How tenant and override stand after what was asked. */
export interface ChangedOverride {
  readonly tenant: TenantRecord;
  readonly override: OverrideRecord;
  /** False when it was so already: then nothing was bumped or audited. */
  readonly hasChanged: boolean;
}

/** An override that ends soon, of a tenant whose limits LiteLLM has. */
export interface EndingOverride {
  readonly tenantId: TenantId;
  readonly expiresAt: Instant;
}
