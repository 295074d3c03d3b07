// Creates a tenant with a key of its own, or adopts a key or team that LiteLLM has. Postgres first, then LiteLLM: a crash
// in between leaves a pending tenant that the sweep finishes, never a key that nobody knows of.

import { foldRead } from "../budget/spend.ts";
import { DEFAULT_BUDGET, type KeyHash, periodStartedAt, type Subject, type TenantId } from "../budget/tenant.ts";
import type { Ports, SubjectReading } from "../ports.ts";
import { failure, type Result, success } from "../result.ts";
import type { Actor, NewTenant, TenantChange, TenantFigures, TenantRecord } from "../tenant-record.ts";
import { adoptedTenant } from "./adopt-subject.ts";
import { type PublishDeps, publishNewTenant } from "./publish-config.ts";
import { type SyncDeps, type SyncResult, syncLiteLlm, withoutKeys } from "./sync-litellm.ts";

export interface CreateTenantInput {
  readonly tenantId: TenantId;
  /** What the administrator said; the rest is LiteLLM's (when adopting) or the default. */
  readonly figures: TenantChange;
  readonly origin: TenantOrigin;
  readonly actor: Actor;
}

export type TenantOrigin =
  /** `keyHash` is the sha256 of `virtualKey`. */
  | { readonly kind: "own_key"; readonly virtualKey: string; readonly keyHash: KeyHash }
  | { readonly kind: "adopted"; readonly subject: Subject };

export type CreateTenantFailure =
  | { readonly kind: "tenant_taken" }
  | { readonly kind: "subject_taken" }
  /** LiteLLM does not know the key or team to adopt. */
  | { readonly kind: "subject_not_found" }
  /** Nothing was created, or it was taken back. */
  | { readonly kind: "litellm_refused"; readonly status: number; readonly message: string }
  /** An adoption needs LiteLLM's figures; nothing was created. */
  | { readonly kind: "litellm_unreachable"; readonly why: string };

type Deps = PublishDeps & SyncDeps & Pick<Ports, "tenants" | "litellm" | "sealer">;

/** The tenant; its `sync` says whether LiteLLM has it too. @throws when Postgres cannot be reached. */
export async function createTenant(
  input: CreateTenantInput,
  deps: Deps,
): Promise<Result<TenantRecord, CreateTenantFailure>> {
  const { tenantId, origin, actor } = input;
  const planned =
    origin.kind === "own_key"
      ? success(await ownTenant(input, origin, deps))
      : await adoptedTenant(input, origin.subject, deps);
  if (!planned.ok) return planned;
  const created = await deps.tenants.create(planned.value, actor);
  if (!created.ok) return failure({ kind: created.failure });

  const synced = await syncCreated(created.value, actor, deps);
  if (synced.kind === "pending" && synced.failure.kind === "refused") {
    await takeBack(tenantId, actor, deps);
    const { status, message } = synced.failure;
    return failure({ kind: "litellm_refused", status, message: withoutKeys(message) });
  }
  const tenant = await withFirstSpend(created.value, synced, deps);
  await publishNewTenant(tenant, actor.now, deps);
  return success(tenant);
}

async function ownTenant(
  { tenantId, figures, actor }: CreateTenantInput,
  { virtualKey, keyHash }: TenantOrigin & { kind: "own_key" },
  { sealer }: Deps,
): Promise<NewTenant> {
  return {
    ...withDefaults(figures),
    tenantId,
    subject: { kind: "key", id: keyHash },
    keyHashes: [keyHash],
    subjectCreatedAt: actor.now,
    budgetResetAt: null,
    adopted: false,
    priorValues: null,
    sealedKey: await sealer.seal(virtualKey),
    litellmBudgetId: null,
    spend: null,
  };
}

function withDefaults(figures: TenantChange): TenantFigures {
  return { name: null, failPolicy: null, ...DEFAULT_BUDGET, ...figures };
}

/** The tenant exists from here on: whatever fails now is pending, and its key must still be shown. */
async function syncCreated(created: TenantRecord, { now }: Actor, deps: Deps): Promise<SyncResult> {
  const { tenantId } = created.config;
  try {
    return await syncLiteLlm({ tenantId, now }, deps);
  } catch (error) {
    deps.log.error("could not sync a new tenant", error, { tenant_id: tenantId });
    return { kind: "pending", tenant: created, failure: { kind: "unreachable", why: "the sync broke off" } };
  }
}

async function takeBack(tenantId: TenantId, actor: Actor, deps: Deps): Promise<void> {
  await deps.tenants.markDeleted(tenantId, actor);
  await syncLiteLlm({ tenantId, now: actor.now }, deps);
}

/** The read that follows a key's creation is its first figure; without one the first check reads it. */
async function withFirstSpend(created: TenantRecord, synced: SyncResult, deps: Deps): Promise<TenantRecord> {
  if (synced.kind === "removed") return created;
  const { tenant } = synced;
  if (synced.kind === "pending" || tenant.spend !== null) return tenant;
  const { tenantId } = tenant.config;
  try {
    return (await deps.tenants.recordSpend(tenantId, firstSpend(tenant, synced.reading))) ?? tenant;
  } catch (error) {
    deps.log.error("could not record a new tenant's spend", error, { tenant_id: tenantId });
    return tenant;
  }
}

function firstSpend({ config }: TenantRecord, reading: SubjectReading) {
  return foldRead(null, reading, { startedAt: periodStartedAt(config), resetsAt: null });
}
