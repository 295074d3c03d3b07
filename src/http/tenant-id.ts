// The format of a tenant id, which is part of URLs, KV and Redis keys, and LiteLLM's metadata.

import type { TenantId } from "../budget/tenant.ts";

export const TENANT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function tenantIdFrom(text: string): TenantId | null {
  return TENANT_ID.test(text) ? (text as TenantId) : null;
}
