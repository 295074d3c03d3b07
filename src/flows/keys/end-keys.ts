// Ends older keys of tenants. LiteLLM refuses the key at once; its last spend is read when LiteLLM has written the
// spend of its last calls, and is carried by the tenant for the rest of the period; then the key is deleted. A key
// deleted first would lose the spend that LiteLLM has not written yet. Each step can be repeated; the sweep takes
// the next one.

import type { Instant } from "../../budget/instant.ts";
import type { NanoUsd } from "../../budget/money.ts";
import { periodStartedAt } from "../../budget/period.ts";
import { DATABASE_LAG_MS } from "../../budget/spend.ts";
import type { KeyHash } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantKey, TenantRecord } from "../../records/tenant.ts";
import { whyFailed } from "../counting/observe.ts";
import { type PublishDeps, publishConfig, publishKeys } from "../edge/publish.ts";
import { spentByGone } from "../litellm/read-spend.ts";

export type EndKeyDeps = PublishDeps & Pick<Ports, "tenants" | "tenantKeys" | "litellm">;

/** Up to two calls of LiteLLM each. The next sweep takes the rest. */
const KEYS_PER_RUN = 50;

/** A colo may read by a config from before the carry, which counts the key: it must find the key until then. */
const EDGE_COPY_MS = 90_000;

/** The sweep repeats what fails. */
const TRIES = 1;

/** @throws when Postgres cannot be reached. */
export async function endKeys({ now }: { now: Instant }, deps: EndKeyDeps): Promise<void> {
  for (const key of await deps.tenantKeys.listEnded(KEYS_PER_RUN, now)) {
    try {
      await endKey(key, now, deps);
    } catch (cause) {
      deps.log.error("key end failed", cause, { tenant_id: key.tenantId });
    }
  }
}

/** Takes the next step that is due. @throws when Postgres cannot be reached. */
export async function endKey(key: TenantKey, now: Instant, deps: EndKeyDeps): Promise<void> {
  if (key.blockedAt === null) return block(key, now, deps);
  if (key.carriedAt === null) {
    if (now >= key.blockedAt + DATABASE_LAG_MS) await carry(key, now, deps);
    return;
  }
  if (now < key.carriedAt + EDGE_COPY_MS) return;
  const deleted = await deps.litellm.deleteKey(key.keyHash);
  if (deleted.ok || deleted.failure.kind === "not_found") return deps.tenantKeys.forget(key.keyHash);
  deps.log.warn("litellm key not deleted", { tenant_id: key.tenantId, why: whyFailed(deleted.failure) });
}

async function block(key: TenantKey, now: Instant, deps: EndKeyDeps): Promise<void> {
  const { tenantId, keyHash } = key;
  const blocked = await deps.litellm.updateSubject({ kind: "key", id: keyHash }, { blocked: true });
  if (!blocked.ok && blocked.failure.kind !== "not_found") {
    deps.log.warn("litellm key not blocked", { tenant_id: tenantId, why: whyFailed(blocked.failure) });
    return;
  }
  // Until LiteLLM refuses the key, its calls are checked against the tenant's budget.
  await deps.tenantKeys.noteBlocked(keyHash, now);
  await publishKeys({ keyHashes: [keyHash], tenantId: null, now }, deps);
  // Nothing more can be charged to a key that LiteLLM no longer has.
  if (!blocked.ok) await carry(key, now, deps);
}

/** Adds the key's last spend to the tenant's. While LiteLLM does not answer, the next sweep tries again. */
async function carry({ tenantId, keyHash }: TenantKey, now: Instant, deps: EndKeyDeps): Promise<void> {
  const before = await deps.tenants.load(tenantId);
  if (before === null) return;
  const spendNanoUsd = await lastSpendOf(keyHash, before, deps);
  if (spendNanoUsd === null) return;
  const spend = { tenantId, keyHash, spendNanoUsd, periodStartedAt: periodStartedAt(before.config) };
  const carried = await deps.tenantKeys.carry(spend, now);
  if (carried !== null) await publishConfig(carried, now, deps);
}

/** Of a key that LiteLLM no longer has: what the tenant has spent without its other keys. Null when LiteLLM is away. */
async function lastSpendOf(keyHash: KeyHash, tenant: TenantRecord, deps: EndKeyDeps): Promise<NanoUsd | null> {
  const read = await deps.litellm.readSubject({ kind: "key", id: keyHash }, { tries: TRIES });
  if (read.ok) return read.value.spendNanoUsd;
  if (read.failure.kind !== "not_found") return null;
  const { subject, otherKeys, carriedNanoUsd } = tenant.config;
  let shownNanoUsd = carriedNanoUsd;
  for (const id of [subject.id as KeyHash, ...otherKeys.map(({ hash }) => hash)]) {
    if (id === keyHash) continue;
    const other = await deps.litellm.readSubject({ kind: "key", id }, { tries: TRIES });
    if (other.ok) shownNanoUsd += other.value.spendNanoUsd;
    else if (other.failure.kind !== "not_found") return null;
  }
  return spentByGone(tenant, shownNanoUsd);
}
