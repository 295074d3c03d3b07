// The consumer of the spend queue: parses messages, records the batch, and acknowledges message by message.

import type { Instant } from "../budget/instant.ts";
import { queueBackoffSeconds } from "../budget/schedules/backoff.ts";
import { RECONCILE_EVERY_SECONDS } from "../flows/spend/lease-reads.ts";
import type { Incoming } from "../flows/spend/merge-batch.ts";
import { type ReconcileInput, reconcileTenants } from "../flows/spend/reconcile-tenants.ts";
import { recordSpend } from "../flows/spend/record-spend.ts";
import { reconcileMessage, reconcileMessageSchema, spendMessageSchema } from "../ports/messages.ts";
import type { Ports } from "../ports/ports.ts";
import { type Batch, recordDeadLetter } from "./record-dead-letter.ts";

/**
 * Reconciling a hundred tenants takes up to 500 KV operations, and an invocation may make a thousand. What a backlog
 * brings beyond that goes back to the queue.
 */
const RECONCILED_AT_ONCE = 100;

export async function consumeSpend(batch: Batch, ports: Ports): Promise<void> {
  const now = ports.clock();
  const parsed = new Map<Incoming, Message<unknown>>();
  const reconciles: Reconcile[] = [];
  for (const message of batch.messages) {
    const reconcile = reconcileMessageSchema.safeParse(message.body);
    if (reconcile.success) {
      const { tenant_ids: tenantIds, lease } = reconcile.data;
      reconciles.push({ message, input: { tenantIds, lease } });
      continue;
    }
    const body = spendMessageSchema.safeParse(message.body);
    if (body.success) {
      const { id: messageId, attempts } = message;
      parsed.set({ body: body.data, messageId, isRedelivery: attempts > 1 }, message);
    } else {
      // No retry can succeed.
      await recordDeadLetter({ queue: batch.queue, message, why: "not a spend message" }, ports);
    }
  }
  const failed = await recordOrFail([...parsed.keys()], now, ports);
  for (const [incoming, message] of parsed) {
    if (failed.has(incoming)) message.retry({ delaySeconds: queueBackoffSeconds(message.attempts) });
    else message.ack();
  }
  // Reports are recorded before any reconcile.
  await consumeReconciles(reconciles, ports);
}

interface Reconcile {
  readonly message: Message<unknown>;
  readonly input: Omit<ReconcileInput, "now">;
}

/** Messages whose leases have been taken by others cost one statement and leave room for the next. */
async function consumeReconciles(reconciles: readonly Reconcile[], ports: Ports): Promise<void> {
  const left: Reconcile[] = [];
  let tenants = 0;
  for (const reconcile of reconciles) {
    const isTooMany = tenants > 0 && tenants + reconcile.input.tenantIds.length > RECONCILED_AT_ONCE;
    if (isTooMany) left.push(reconcile);
    else tenants += await consumeReconcile(reconcile, ports);
  }
  if (left.length > 0) await requeue(left, ports);
}

/** Returns how many tenants it took; after a failure the maximum, because it may have read any number of them. */
async function consumeReconcile({ message, input }: Reconcile, ports: Ports): Promise<number> {
  try {
    const tenants = await reconcileTenants({ ...input, now: ports.clock() }, ports);
    message.ack();
    return tenants;
  } catch (cause) {
    ports.log.error("reconcile failed", cause, { tenants: input.tenantIds.length });
    message.retry({ delaySeconds: queueBackoffSeconds(message.attempts) });
    return RECONCILED_AT_ONCE;
  }
}

/**
 * Sends the messages again instead of retrying them: a retry counts as a failed attempt, and a backlog is no fault of
 * theirs. A message that is sent twice finds its leases taken.
 */
async function requeue(reconciles: readonly Reconcile[], { spendQueue, log }: Ports): Promise<void> {
  const bodies = reconciles.map(({ input: { tenantIds, lease } }) => reconcileMessage(tenantIds, lease));
  try {
    await spendQueue.sendAll(bodies, (index) => (index + 1) * RECONCILE_EVERY_SECONDS);
    for (const { message } of reconciles) message.ack();
  } catch (cause) {
    log.error("reconciles not requeued", cause, { messages: reconciles.length });
    for (const { message } of reconciles) message.retry({ delaySeconds: queueBackoffSeconds(message.attempts) });
  }
}

async function recordOrFail(incoming: readonly Incoming[], now: Instant, ports: Ports): Promise<ReadonlySet<Incoming>> {
  if (incoming.length === 0) return new Set();
  try {
    return await recordSpend({ incoming, now }, ports);
  } catch (cause) {
    ports.log.error("spend batch failed", cause, { messages: incoming.length });
    return new Set(incoming);
  }
}
