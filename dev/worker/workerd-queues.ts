// The queues in the configuration file of a plain workerd: queues that only count messages, and brokers that deliver
// messages to the Worker. Builds the text only; starts nothing.

import { quoted } from "./workerd-text.ts";

/** A consumer as in wrangler.toml. The broker has the defaults for missing settings. */
export interface QueueConsumer {
  readonly queue: string;
  readonly max_batch_size?: number | undefined;
  readonly max_batch_timeout?: number | undefined;
  readonly max_retries?: number | undefined;
  readonly retry_delay?: number | undefined;
  readonly max_concurrency?: number | null | undefined;
  readonly dead_letter_queue?: string | undefined;
}

/** The name of a queue's service, whether it delivers or only counts. */
export const queueServiceOf = (queue: string) => `queue:${queue}`;

export function countingQueue(queue: string, compatibilityDate: string): string {
  return `    (name = ${quoted(queueServiceOf(queue))}, worker = (compatibilityDate = ${quoted(compatibilityDate)}, modules = [
      (name = "queue.js", esModule = embed "queue.js")]))`;
}

/** `worker`: the service that consumes all of these queues. */
export function brokers(
  consumers: readonly QueueConsumer[],
  { compatibilityDate, worker }: { compatibilityDate: string; worker: string },
): string[] {
  return consumers.map(
    (consumer) => `    (name = ${quoted(queueServiceOf(consumer.queue))}, worker = (
      compatibilityDate = ${quoted(compatibilityDate)}, compatibilityFlags = ["service_binding_extra_handlers"],
      modules = [(name = "queue-broker.js", esModule = embed "queue-broker.js")],
      durableObjectNamespaces = [(className = "Queue", uniqueKey = ${quoted(consumer.queue)}, preventEviction = true)],
      durableObjectStorage = (inMemory = void),
      bindings = [
        ${[`(name = "WORKER", service = ${quoted(worker)})`, ...brokerBindings(consumer, consumers)].join(",\n        ")}
      ]))`,
  );
}

function brokerBindings(consumer: QueueConsumer, consumers: readonly QueueConsumer[]): string[] {
  // In wrangler's parsed configuration null means the default.
  const settings = Object.fromEntries(Object.entries(consumer).filter(([, value]) => value != null));
  const dead = consumers.filter(({ queue }) => queue === consumer.dead_letter_queue);
  return [
    `(name = "SETTINGS", json = ${quoted(JSON.stringify(settings))})`,
    `(name = "QUEUE", durableObjectNamespace = "Queue")`,
    ...dead.map(({ queue }) => {
      const object = `(className = "Queue", serviceName = ${quoted(queueServiceOf(queue))})`;
      return `(name = "DEAD_LETTERS", durableObjectNamespace = ${object})`;
    }),
  ];
}
