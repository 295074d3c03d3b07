// An administrator raises a tenant's limit for a while: in Postgres first, then at the edge and in LiteLLM. Its end needs
// nobody at the edge; in LiteLLM it is the sweep's.

import type { NewOverride, OverrideRecord } from "../records/override-record.ts";
import type { Actor, TenantRecord } from "../records/tenant-record.ts";
import { failure, type Result, success } from "../result.ts";
import { type OverrideDeps, spreadOverride } from "./spread-override.ts";

/** Granting what is granted already, by its id, changes nothing. @throws when Postgres cannot be reached. */
export async function grantOverride(
  { override, actor }: { override: NewOverride; actor: Actor },
  deps: OverrideDeps,
): Promise<Result<{ override: OverrideRecord; tenant: TenantRecord }, "not_found">> {
  const granted = await deps.overrides.grant(override, actor);
  if (granted === null) return failure("not_found");
  const tenant = await spreadOverride(granted, "override_granted", actor.now, deps);
  return success({ override: granted.override, tenant });
}
