// An administrator raises a tenant's limit for a while: in Postgres first, then at the edge and in LiteLLM. Its end needs
// nobody at the edge; in LiteLLM it is the sweep's.

import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { NewOverride, OverrideRecord } from "../../records/override-record.ts";
import type { Actor, TenantRecord } from "../../records/tenant-record.ts";
import type { AnnounceChangeDeps } from "../alerts/announce-change.ts";
import { type PublishChangeDeps, publishNews } from "./publish-change.ts";

export type OverrideDeps = PublishChangeDeps & AnnounceChangeDeps & Pick<Ports, "overrides">;

/** Granting what is granted already, by its id, changes nothing. @throws when Postgres cannot be reached. */
export async function grantOverride(
  { override, actor }: { override: NewOverride; actor: Actor },
  deps: OverrideDeps,
): Promise<Result<{ override: OverrideRecord; tenant: TenantRecord }, "not_found">> {
  const granted = await deps.overrides.grant(override, actor);
  if (granted === null) return failure("not_found");
  const { override: kept, tenant } = granted;
  if (!granted.hasChanged) return success({ override: kept, tenant });
  const change = { eventType: "override_granted", override: kept } as const;
  return success({ override: kept, tenant: await publishNews(tenant, change, actor.now, deps) });
}
