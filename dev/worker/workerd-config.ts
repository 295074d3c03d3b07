// The configuration file of a plain workerd that runs the built Worker with every binding of wrangler.toml.
// Builds the text only; starts nothing.

import type { WorkerEnvironment } from "./environment.ts";
import { brokers, countingQueue, type QueueConsumer, queueServiceOf } from "./workerd-queues.ts";
import { quoted } from "./workerd-text.ts";

/** The part of wrangler.toml that workerd needs. */
export interface WorkerBindings {
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly vars: Readonly<Record<string, string>>;
  readonly kvNamespaces: readonly string[];
  readonly queues: readonly { readonly binding: string; readonly queue: string }[];
  readonly consumers: readonly QueueConsumer[];
}

/** The socket of the Worker. The other sockets are named after their bindings. All use free loopback ports. */
export const HTTP_SOCKET = "http";
/** The socket that runs the cron trigger. */
export const CRON_SOCKET = "cron";

const WORKER = "worker";
const kvServiceOf = (binding: string) => `binding:${binding}`;

export interface WorkerdParts {
  /** Host and port of an external KV namespace; null for one inside workerd. */
  readonly kvAddress: string | null;
  /** Whether queues deliver to the Worker. If not, they only count messages. */
  readonly deliversQueues: boolean;
}

/** Every path in the text is relative to the configuration file. */
export function workerdConfig(
  bindings: WorkerBindings,
  environment: WorkerEnvironment,
  { kvAddress, deliversQueues }: WorkerdParts,
): string {
  const { compatibilityDate, kvNamespaces, queues, consumers } = bindings;
  const kvInside = kvAddress === null ? kvNamespaces : [];
  const queueServices = deliversQueues
    ? brokers(consumers, { compatibilityDate, worker: WORKER })
    : queues.map(({ queue }) => countingQueue(queue, compatibilityDate));
  const sockets = [
    socket(HTTP_SOCKET, WORKER),
    socket(CRON_SOCKET, CRON_SOCKET),
    ...kvInside.map((binding) => socket(binding, kvServiceOf(binding))),
    ...queues.map(({ binding, queue }) => socket(binding, queueServiceOf(queue))),
  ];
  return `# Written by dev/worker/workerd.ts.
@0xd4f1c6a2b7e38059;
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "internet", network = (allow = ["public", "private", "local"], tlsOptions = (trustBrowserCas = true))),
    (name = ${quoted(WORKER)}, worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = ${quoted(compatibilityDate)},
      compatibilityFlags = [${bindings.compatibilityFlags.map(quoted).join(", ")}],
      bindings = [
${workerBindings(bindings, environment).join(",\n")}
      ],
    )),
${[...kvServices(bindings, kvAddress), ...queueServices, cronService(compatibilityDate)].join(",\n")}
  ],
  sockets = [
${sockets.map((each) => `    ${each}`).join(",\n")}
  ],
);
`;
}

function workerBindings(bindings: WorkerBindings, { secrets, vars }: WorkerEnvironment): string[] {
  const texts = { ...bindings.vars, ...vars, ...secrets };
  return [
    ...Object.entries(texts).map(([name, value]) => `(name = ${quoted(name)}, text = ${quoted(value)})`),
    ...bindings.kvNamespaces.map((name) => `(name = ${quoted(name)}, kvNamespace = ${quoted(kvServiceOf(name))})`),
    ...bindings.queues.map(
      ({ binding, queue }) => `(name = ${quoted(binding)}, queue = ${quoted(queueServiceOf(queue))})`,
    ),
  ].map((binding) => `        ${binding}`);
}

function kvServices({ kvNamespaces, compatibilityDate }: WorkerBindings, kvAddress: string | null): string[] {
  return kvNamespaces.map((name) =>
    kvAddress === null
      ? `    (name = ${quoted(kvServiceOf(name))}, worker = (compatibilityDate = ${quoted(compatibilityDate)}, modules = [
      (name = "kv.js", esModule = embed "kv.js"), (name = "kv-handler.js", esModule = embed "kv-handler.js")]))`
      : `    (name = ${quoted(kvServiceOf(name))}, external = (address = ${quoted(kvAddress)}, http = ()))`,
  );
}

function cronService(compatibilityDate: string): string {
  return `    (name = ${quoted(CRON_SOCKET)}, worker = (
      compatibilityDate = ${quoted(compatibilityDate)}, compatibilityFlags = ["service_binding_extra_handlers"],
      modules = [(name = "cron.js", esModule = embed "cron.js")],
      bindings = [(name = "WORKER", service = ${quoted(WORKER)})]))`;
}

function socket(name: string, service: string): string {
  return `(name = ${quoted(name)}, address = "127.0.0.1:0", http = (), service = ${quoted(service)})`;
}
