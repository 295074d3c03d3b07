// An administrator raises a tenant's limit for a while. Writes Postgres first, then publishes to the edge and syncs
// LiteLLM. Checks apply the end of the override themselves; the sweep syncs it to LiteLLM.

import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { NewOverride, OverrideRecord } from "../../records/override.ts";
import type { Actor, TenantRecord } from "../../records/tenant.ts";
import type { AnnounceChangeDeps } from "../alerts/announce-change.ts";
import { type NotChanged, whyNotChanged } from "../tenants/not-changed.ts";
import { type PublishChangeDeps, publishAndAnnounce } from "../tenants/publish-change.ts";

export type OverrideDeps = PublishChangeDeps & AnnounceChangeDeps & Pick<Ports, "overrides">;

/** May return the override of an earlier request of the same operation. @throws when Postgres cannot be reached. */
export async function grantOverride(
  { override, actor }: { override: NewOverride; actor: Actor },
  deps: OverrideDeps,
): Promise<Result<{ override: OverrideRecord; tenant: TenantRecord }, NotChanged | "other_body">> {
  const granted = await deps.overrides.grant(override, actor);
  if (!granted.ok) {
    return granted.failure === "not_found" ? failure(await whyNotChanged(override.tenantId, actor, deps)) : granted;
  }
  const { override: kept, tenant } = granted.value;
  const change = { eventType: "override_granted", override: kept } as const;
  return success({ override: kept, tenant: await publishAndAnnounce(tenant, change, actor.now, deps) });
}
