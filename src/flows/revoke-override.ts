// An administrator ends an override before its time. One that is over already stays as it is.

import type { OverrideKey } from "../records/override-record.ts";
import type { Actor, TenantRecord } from "../records/tenant-record.ts";
import { failure, type Result, success } from "../result.ts";
import { type OverrideDeps, spreadOverride } from "./spread-override.ts";

/** The tenant as it now is. @throws when Postgres cannot be reached. */
export async function revokeOverride(
  { key, actor }: { key: OverrideKey; actor: Actor },
  deps: OverrideDeps,
): Promise<Result<TenantRecord, "not_found">> {
  const revoked = await deps.overrides.revoke(key, actor);
  return revoked === null
    ? failure("not_found")
    : success(await spreadOverride(revoked, "override_ended", actor.now, deps));
}
