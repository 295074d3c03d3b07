// An administrator gives a tenant a new key, or ends an older one. Writes Postgres first, then publishes to the
// edge, then syncs LiteLLM: a crash in between leaves a pending tenant that the sweep finishes, and never an
// unrecorded key.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { Actor, TenantRecord } from "../../records/tenant.ts";
import { publishKeys } from "../edge/publish.ts";
import { type NotChanged, whyNotChanged } from "../tenants/not-changed.ts";
import { type PublishChangeDeps, publishChange } from "../tenants/publish-change.ts";
import { type EndKeyDeps, endKey } from "./end-keys.ts";

export type ChangeKeysDeps = PublishChangeDeps & EndKeyDeps;

export interface AddKeyInput {
  readonly tenantId: TenantId;
  /** `keyHash` is its sha256. */
  readonly virtualKey: string;
  readonly keyHash: KeyHash;
  /** When the keys so far stop working. */
  readonly othersEndAt: Instant;
  readonly actor: Actor;
}

/** The tenant with its new key; `sync` says whether LiteLLM has it. @throws when Postgres cannot be reached. */
export async function addKey(
  { tenantId, virtualKey, keyHash, othersEndAt, actor }: AddKeyInput,
  deps: ChangeKeysDeps,
): Promise<Result<TenantRecord, NotChanged | "is_team" | "is_adopted">> {
  const before = await deps.tenants.load(tenantId);
  if (before === null) return failure("not_found");
  if (before.config.subject.kind === "team") return failure("is_team");
  // A release restores an adopted key, which Bursar would have to keep after it was leaked or lost.
  if (before.adopted) return failure("is_adopted");
  const encryptedKey = await deps.cipher.encrypt(virtualKey);
  const added = await deps.tenantKeys.add({ tenantId, keyHash, encryptedKey, othersEndAt }, actor);
  if (added === null) return failure(await whyNotChanged(tenantId, actor, deps));
  await publishKeys({ keyHashes: [keyHash], tenantId, now: actor.now }, deps);
  const published = await publishChange(added, actor.now, deps);
  if (published.sync.status === "synced") await endDueKeys(published, actor.now, deps);
  return success(published);
}

/** @throws when Postgres cannot be reached. */
export async function removeKey(
  { tenantId, keyHash, actor }: Pick<AddKeyInput, "tenantId" | "keyHash" | "actor">,
  deps: ChangeKeysDeps,
): Promise<Result<TenantRecord, NotChanged | "is_newest">> {
  const ended = await deps.tenantKeys.end(tenantId, keyHash, actor);
  if (ended === null) {
    const tenant = await deps.tenants.load(tenantId);
    if (tenant?.config.subject.id === keyHash) return failure("is_newest");
    return failure(await whyNotChanged(tenantId, actor, deps));
  }
  await endDueKeys(ended, actor.now, deps);
  return success(await publishChange(ended, actor.now, deps));
}

/** LiteLLM refuses ended keys at once. The sweep repeats what fails here. */
async function endDueKeys({ config }: TenantRecord, now: Instant, deps: ChangeKeysDeps): Promise<void> {
  const { tenantId } = config;
  for (const { hash, endsAt } of config.otherKeys) {
    if (endsAt > now) continue;
    try {
      await endKey({ tenantId, keyHash: hash, blockedAt: null, carriedAt: null }, now, deps);
    } catch (cause) {
      deps.log.error("key end failed", cause, { tenant_id: tenantId });
    }
  }
}
