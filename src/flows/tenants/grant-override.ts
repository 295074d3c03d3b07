// An administrator raises a tenant's limit for a while. Writes Postgres first, then publishes to the edge and syncs
// LiteLLM. Checks apply the end of the override themselves; the sweep syncs it to LiteLLM.

import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { NewOverride, OverrideRecord } from "../../records/override.ts";
import type { Actor, TenantRecord } from "../../records/tenant.ts";
import type { AnnounceChangeDeps } from "../alerts/announce-change.ts";
import { type PublishChangeDeps, publishAndAnnounce } from "./publish-change.ts";

export type OverrideDeps = PublishChangeDeps & AnnounceChangeDeps & Pick<Ports, "overrides">;

/** Idempotent by the override's id: granting it again changes nothing. @throws when Postgres cannot be reached. */
export async function grantOverride(
  { override, actor }: { override: NewOverride; actor: Actor },
  deps: OverrideDeps,
): Promise<Result<{ override: OverrideRecord; tenant: TenantRecord }, "not_found">> {
  const granted = await deps.overrides.grant(override, actor);
  if (granted === null) return failure("not_found");
  const { override: kept, tenant } = granted;
  if (!granted.hasChanged) return success({ override: kept, tenant });
  const change = { eventType: "override_granted", override: kept } as const;
  return success({ override: kept, tenant: await publishAndAnnounce(tenant, change, actor.now, deps) });
}
