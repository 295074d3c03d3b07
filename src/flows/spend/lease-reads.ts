// Leases tenants without a recent read to messages of the spend queue, each tenant to one message. Reads no tenant
// itself. A lost message does no harm: the sweep leases its tenants again when the lease expires.

import type { Instant } from "../../budget/instant.ts";
import { reconcileMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";

/** The maximum of one read of LiteLLM's key list. */
const TENANTS_PER_MESSAGE = 100;

/** Covers 100,000 tenants in 59 minutes. */
const TENANTS_PER_RUN = 1_700;

/**
 * Spreads the 17 messages of a run over its minute, so that LiteLLM is read steadily and each message gets its own
 * batch.
 */
export const RECONCILE_EVERY_SECONDS = 3;

/**
 * Tenants with a read within this time are skipped: the checks of a busy tenant confirm it every five minutes. The rest
 * of the hour leaves room for the run itself and for one expired lease.
 */
const DUE_MS = 45 * 60_000;

/**
 * A message waits for seconds and takes seconds. Longer than any delay of a healthy queue, much shorter than the hour.
 */
export const LEASE_MS = 600_000;

/** @throws when Postgres or the queue cannot be reached; the leased tenants are then due again in ten minutes. */
export async function leaseReads(
  { now }: { now: Instant },
  { readLeases, spendQueue }: Pick<Ports, "readLeases" | "spendQueue">,
): Promise<void> {
  const lease = now + LEASE_MS;
  const due = { readBefore: now - DUE_MS, until: lease, limit: TENANTS_PER_RUN, now };
  const leased = await readLeases.take(due);
  const starts = leased.flatMap((_, index) => (index % TENANTS_PER_MESSAGE === 0 ? [index] : []));
  const messages = starts.map((start) => leased.slice(start, start + TENANTS_PER_MESSAGE));
  if (messages.length === 0) return;
  const bodies = messages.map((tenantIds) => reconcileMessage(tenantIds, lease));
  await spendQueue.sendAll(bodies, (index) => index * RECONCILE_EVERY_SECONDS);
}
