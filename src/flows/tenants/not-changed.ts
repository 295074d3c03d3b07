// Why Postgres has made no change: there is no such tenant, or it has another version than the caller accepts.

import type { TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { Actor } from "../../records/tenant.ts";

/** `other_version`: another change came first. */
export type NotChanged = "not_found" | "other_version";

export async function whyNotChanged(
  tenantId: TenantId,
  { operation }: Pick<Actor, "operation">,
  { tenants }: Pick<Ports, "tenants">,
): Promise<NotChanged> {
  const { ifVersion } = operation;
  const tenant = ifVersion === undefined ? null : await tenants.load(tenantId);
  return tenant === null || ifVersion?.includes(tenant.settingsVersion) === true ? "not_found" : "other_version";
}
