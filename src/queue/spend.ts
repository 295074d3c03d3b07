// The consumer of the spend queue: parses messages, records the batch, and acknowledges message by message.

import type { Instant } from "../budget/instant.ts";
import { queueBackoffSeconds } from "../budget/schedules/backoff.ts";
import type { Incoming } from "../flows/spend/merge-batch.ts";
import { type ReconcileInput, reconcileTenants } from "../flows/spend/reconcile-tenants.ts";
import { recordSpend } from "../flows/spend/record-spend.ts";
import { reconcileMessageSchema, spendMessageSchema } from "../ports/messages.ts";
import type { Ports } from "../ports/ports.ts";
import { type Batch, recordDeadLetter } from "./record-dead-letter.ts";

/**
 * Reconciling a hundred tenants takes up to 500 KV operations, and an invocation may make a thousand. So an invocation
 * handles one reconcile message; others in the same batch, which only a backlog causes, are retried.
 */
const APART_SECONDS = 3;

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
  const [first, ...others] = reconciles;
  if (first !== undefined) await consumeReconcile(first, ports);
  for (const [index, { message }] of others.entries()) message.retry({ delaySeconds: (index + 1) * APART_SECONDS });
}

interface Reconcile {
  readonly message: Message<unknown>;
  readonly input: Omit<ReconcileInput, "now">;
}

async function consumeReconcile({ message, input }: Reconcile, ports: Ports): Promise<void> {
  try {
    await reconcileTenants({ ...input, now: ports.clock() }, ports);
    message.ack();
  } catch (cause) {
    ports.log.error("reconcile failed", cause, { tenants: input.tenantIds.length });
    message.retry({ delaySeconds: queueBackoffSeconds(message.attempts) });
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
