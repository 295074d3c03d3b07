// An administrator ends an override before its time. One that is over already stays as it is.

import { failure, type Result, success } from "../../ports/result.ts";
import type { OverrideKey } from "../../records/override-record.ts";
import type { Actor, TenantRecord } from "../../records/tenant-record.ts";
import type { OverrideDeps } from "./grant-override.ts";
import { publishNews } from "./publish-change.ts";

/** The tenant as it now is. @throws when Postgres cannot be reached. */
export async function revokeOverride(
  { key, actor }: { key: OverrideKey; actor: Actor },
  deps: OverrideDeps,
): Promise<Result<TenantRecord, "not_found">> {
  const revoked = await deps.overrides.revoke(key, actor);
  if (revoked === null) return failure("not_found");
  const { tenant, override, hasChanged } = revoked;
  if (!hasChanged) return success(tenant);
  return success(await publishNews(tenant, { eventType: "override_ended", override }, actor.now, deps));
}
