// Delivers batches as Cloudflare Queues do, and records what the Worker did with each message.

import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import worker from "../../src/worker.ts";
import { NOW } from "../budget/builders.ts";
import { bindingsWith } from "./bursar.ts";

/** Delivers the bodies as one batch. An error thrown by `queue()` fails the test. */
export async function deliver(
  bodies: readonly unknown[],
  options: { queue?: string; attempts?: number; bindings?: Record<string, unknown> } = {},
) {
  const { queue = "bursar-spend", attempts = 1, bindings = {} } = options;
  const messages = bodies.map((body) => ({ id: crypto.randomUUID(), timestamp: new Date(NOW), attempts, body }));
  const batch = createMessageBatch(queue, messages);
  const delays: (number | undefined)[] = [];
  for (const message of batch.messages) {
    const retry = message.retry.bind(message);
    message.retry = (how) => {
      delays.push(how?.delaySeconds);
      retry(how);
    };
  }
  const execution = createExecutionContext();
  await worker.queue(batch, bindingsWith(bindings), execution);
  const result = await getQueueResult(batch, execution);
  const ids = messages.map(({ id }) => id);
  const indexesOf = (wanted: readonly string[]) => wanted.map((id) => ids.indexOf(id)).sort();
  return {
    ids,
    acked: indexesOf(result.explicitAcks),
    retried: indexesOf(result.retryMessages.map(({ msgId }) => msgId)),
    retriedWhole: result.retryBatch.retry,
    delays,
  };
}
