// An administrator ends an override before it expires. An override that has ended already stays as it is.

import { failure, type Result, success } from "../../ports/result.ts";
import type { OverrideKey } from "../../records/override.ts";
import type { Actor, TenantRecord } from "../../records/tenant.ts";
import { type NotChanged, whyNotChanged } from "../tenants/not-changed.ts";
import { publishAndAnnounce } from "../tenants/publish-change.ts";
import type { OverrideDeps } from "./grant-override.ts";

/** The tenant after the revocation. @throws when Postgres cannot be reached. */
export async function revokeOverride(
  { key, actor }: { key: OverrideKey; actor: Actor },
  deps: OverrideDeps,
): Promise<Result<TenantRecord, NotChanged>> {
  const revoked = await deps.overrides.revoke(key, actor);
  if (revoked === null) return failure(await whyNotChanged(key.tenantId, actor, deps));
  const { tenant, override, hasChanged } = revoked;
  if (!hasChanged) return success(tenant);
  return success(await publishAndAnnounce(tenant, { eventType: "override_ended", override }, actor.now, deps));
}
