// The configuration file of a plain workerd that runs the built Worker with every binding of wrangler.toml.
// Owns the text only; starts nothing.

import type { WorkerEnvironment } from "./environment.ts";

/** What wrangler.toml says, as far as workerd has to know it. */
export interface WorkerBindings {
  readonly compatibilityDate: string;
  readonly vars: Readonly<Record<string, string>>;
  readonly kvNamespaces: readonly string[];
  readonly queues: readonly string[];
  readonly rateLimits: readonly { readonly name: string; readonly limit: number; readonly period: number }[];
}

/** The sockets that the configuration opens, all on free loopback ports. */
export const HTTP_SOCKET = "http";
export const serviceOf = (binding: string) => `binding:${binding}`;

/** `kvAddress`: host and port of a KV namespace outside; null for one inside. Every path is relative to the file. */
export function workerdConfig(
  bindings: WorkerBindings,
  environment: WorkerEnvironment,
  kvAddress: string | null,
): string {
  const inside = [...(kvAddress === null ? bindings.kvNamespaces : []), ...bindings.queues];
  return `# Written by dev/worker/workerd.ts.
@0xd4f1c6a2b7e38059;
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "internet", network = (allow = ["public", "private", "local"], tlsOptions = (trustBrowserCas = true))),
    (name = "worker", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = ${quoted(bindings.compatibilityDate)},
      bindings = [
${workerBindings(bindings, environment).join(",\n")}
      ],
    )),
${[...kvServices(bindings, kvAddress), ...bindings.queues.map((name) => queueService(name, bindings))].join(",\n")}
  ],
  sockets = [
    ${socket(HTTP_SOCKET, "worker")},
${inside.map((name) => `    ${socket(name, serviceOf(name))}`).join(",\n")}
  ],
  extensions = [(modules = [
    (name = "dev:rate-limit", internal = true, esModule = embed "rate-limit.js"),
  ])],
);
`;
}

function workerBindings(bindings: WorkerBindings, { secrets, vars }: WorkerEnvironment): string[] {
  const texts = { ...bindings.vars, ...vars, ...secrets };
  return [
    ...Object.entries(texts).map(([name, value]) => `(name = ${quoted(name)}, text = ${quoted(value)})`),
    ...bindings.kvNamespaces.map((name) => `(name = ${quoted(name)}, kvNamespace = ${quoted(serviceOf(name))})`),
    ...bindings.queues.map((name) => `(name = ${quoted(name)}, queue = ${quoted(serviceOf(name))})`),
    ...bindings.rateLimits.map(
      ({ name, limit, period }) =>
        `(name = ${quoted(name)}, wrapped = (moduleName = "dev:rate-limit", innerBindings = [
          (name = "limit", json = "${limit}"), (name = "period", json = "${period}")]))`,
    ),
  ].map((binding) => `        ${binding}`);
}

function kvServices({ kvNamespaces, compatibilityDate }: WorkerBindings, kvAddress: string | null): string[] {
  return kvNamespaces.map((name) =>
    kvAddress === null
      ? `    (name = ${quoted(serviceOf(name))}, worker = (compatibilityDate = ${quoted(compatibilityDate)}, modules = [
      (name = "kv.js", esModule = embed "kv.js"), (name = "kv-handler.js", esModule = embed "kv-handler.js")]))`
      : `    (name = ${quoted(serviceOf(name))}, external = (address = ${quoted(kvAddress)}, http = ()))`,
  );
}

function queueService(name: string, { compatibilityDate }: WorkerBindings): string {
  return `    (name = ${quoted(serviceOf(name))}, worker = (compatibilityDate = ${quoted(compatibilityDate)}, modules = [
      (name = "queue.js", esModule = embed "queue.js")]))`;
}

function socket(name: string, service: string): string {
  return `(name = ${quoted(name)}, address = "127.0.0.1:0", http = (), service = ${quoted(service)})`;
}

/** JSON's escapes are Cap'n Proto's too, for everything an environment holds. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
