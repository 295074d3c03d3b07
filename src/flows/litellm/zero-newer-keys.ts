// Begins a new period for all live keys of a tenant. LiteLLM has reset the oldest one, whose end is the tenant's; a
// newer key may have a later end of its own. Can be repeated.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { whyFailed } from "../counting/observe.ts";

/** The caller tries again later. */
const TRIES = 1;

/** @throws when LiteLLM does not zero a key that it has. */
export async function zeroNewerKeys(
  { tenant: { config }, now }: { readonly tenant: Pick<TenantRecord, "config">; readonly now: Instant },
  { litellm }: Pick<Ports, "litellm">,
): Promise<void> {
  const { subject, otherKeys, budgetResetAt } = config;
  const [oldest, ...newer] = otherKeys.filter(({ endsAt }) => endsAt > now);
  if (oldest === undefined) return;
  for (const id of [...newer.map(({ hash }) => hash), subject.id as KeyHash]) {
    const read = await litellm.readSubject({ kind: "key", id }, { tries: TRIES });
    if (!read.ok && read.failure.kind !== "not_found") throw new Error(`key not read: ${whyFailed(read.failure)}`);
    // The same end: LiteLLM has reset this key too.
    if (!read.ok || read.value.resetsAt === budgetResetAt) continue;
    const zeroed = await litellm.resetSpend(id);
    if (!zeroed.ok) throw new Error(`key not zeroed: ${whyFailed(zeroed.failure)}`);
  }
}
