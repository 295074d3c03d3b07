// Gives the tenants that nobody has read for long to messages of the spend queue, each tenant to one message. Reads nothing
// itself. What becomes of a message does not matter: a lease that runs out is given again.

import type { Instant } from "../../budget/instant.ts";
import type { Ports } from "../../ports/ports.ts";

/** As many as one read of LiteLLM takes. */
const TENANTS_PER_MESSAGE = 100;

/** 100,000 tenants in 59 minutes. */
const TENANTS_PER_RUN = 1_700;

/** The 17 messages of a minute spread over it: LiteLLM is asked steadily, and each finds a batch of its own. */
const EVERY_SECONDS = 3;

/**
 * Whoever was read since is left alone: a busy tenant is confirmed every five minutes by its own checks. What is left of
 * the hour is for the turn, and for one lease that ran out.
 */
const DUE_MS = 45 * 60_000;

/** A message waits for seconds and takes seconds. Longer than any delay of a healthy queue, short beside the hour. */
export const LEASE_MS = 600_000;

/** @throws when Postgres or the queue cannot be reached; what was leased then comes again in ten minutes. */
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
  const bodies = messages.map((tenantIds) => ({ kind: "reconcile", tenant_ids: tenantIds, lease }) as const);
  await spendQueue.sendAll(bodies, (index) => index * EVERY_SECONDS);
}
