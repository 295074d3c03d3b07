// The built Worker on plain workerd, as a child process: no proxy in front, and a KV that can be really broken.
// Owns its temporary files and its end; ends it by process id. No cron runs here, and queues deliver only where asked to.

import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { unstable_readConfig } from "wrangler";
import { endProcess } from "../services/process.ts";
import type { WorkerEnvironment } from "./environment.ts";
import { HTTP_SOCKET, type WorkerBindings, workerdConfig } from "./workerd-config.ts";
import type { QueueConsumer } from "./workerd-queues.ts";

export interface Workerd {
  readonly pid: number;
  readonly url: string;
  /** By binding: where the KV namespaces and queues inside answer `/_counts`, KV its own protocol too, and brokers `/_backlog`. */
  readonly services: Readonly<Record<string, string>>;
  /** What it has printed so far: the Worker's log lines among it. */
  output(): string;
  stop(): Promise<void>;
}

const WRANGLER_TOML = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));
const SERVICES = [
  ...["kv", "queue", "queue-broker", "rate-limit"].map((name) => `services/${name}.js`),
  "../kv/kv-handler.js",
];

/** It listens within half a second; a machine that is busy with other tests takes longer. */
const READY_MS = 20_000;

/**
 * Runs `bundleDir`/worker.js, as `wrangler deploy --dry-run --outdir` leaves it.
 * `kv`: host and port of a KV namespace outside (see dev/kv/start-kv.ts); without it there is one inside.
 * `deliversQueues`: messages come back to the Worker by the consumers of wrangler.toml; without it they are only counted.
 * @throws Error with what workerd said, when it ends or does not come up.
 */
export async function startWorkerd(options: {
  bundleDir: string;
  environment: WorkerEnvironment;
  kv?: { address: string };
  deliversQueues?: boolean;
}): Promise<Workerd> {
  const directory = mkdtempSync(join(tmpdir(), "bursar-workerd-"));
  const bindings = readBindings();
  const config = workerdConfig(bindings, options.environment, {
    kvAddress: options.kv?.address ?? null,
    deliversQueues: options.deliversQueues ?? false,
  });
  writeFileSync(join(directory, "workerd.capnp"), config, { mode: 0o600 });
  copyFileSync(join(options.bundleDir, "worker.js"), join(directory, "worker.js"));
  for (const file of SERVICES) {
    copyFileSync(new URL(file, import.meta.url), join(directory, file.slice(file.lastIndexOf("/") + 1)));
  }

  const child = spawn(workerdBinary(), ["serve", "--experimental", "--control-fd=3", "workerd.capnp"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  const stop = async () => {
    // SIGKILL: workerd keeps nothing, and on SIGTERM it would wait for its requests to broken parts.
    await endProcess(child, "SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  };
  const queues = bindings.queues.map(({ binding }) => binding);
  const sockets = [HTTP_SOCKET, ...(options.kv ? [] : bindings.kvNamespaces), ...queues];
  try {
    const { [HTTP_SOCKET]: url = "", ...services } = await listening(child, sockets);
    return { pid: child.pid ?? 0, url, services, output: () => said.join(""), stop };
  } catch (cause) {
    await stop();
    throw new Error(`workerd did not come up:\n${said.join("")}`, { cause });
  }
}

/** The part of wrangler's parsed configuration that is read here; its own type is not exported whole. */
interface WranglerConfig {
  readonly compatibility_date?: string;
  readonly compatibility_flags: readonly string[];
  readonly vars: Readonly<Record<string, unknown>>;
  readonly kv_namespaces: readonly { binding: string }[];
  readonly queues: {
    readonly producers?: readonly { binding: string; queue?: string }[];
    readonly consumers?: readonly QueueConsumer[];
  };
  readonly ratelimits: readonly { name: string; simple: { limit: number; period: number } }[];
}

function readBindings(): WorkerBindings {
  const config: WranglerConfig = unstable_readConfig({ config: WRANGLER_TOML });
  return {
    compatibilityDate: config.compatibility_date ?? "",
    compatibilityFlags: config.compatibility_flags,
    vars: Object.fromEntries(Object.entries(config.vars).map(([name, value]) => [name, String(value)])),
    kvNamespaces: config.kv_namespaces.map(({ binding }) => binding),
    queues: (config.queues.producers ?? []).map(({ binding, queue = binding }) => ({ binding, queue })),
    consumers: config.queues.consumers ?? [],
    rateLimits: config.ratelimits.map(({ name, simple }) => ({ name, ...simple })),
  };
}

/** The binary that wrangler itself would run. */
function workerdBinary(): string {
  const wrangler = createRequire(import.meta.url).resolve("wrangler/package.json");
  return (createRequire(wrangler)("workerd") as { default: string }).default;
}

/** Waits until every socket listens; workerd reports each port on its control channel. */
function listening(child: ChildProcess, sockets: readonly string[]): Promise<Record<string, string>> {
  const urls: Record<string, string> = {};
  return new Promise((resolve, reject) => {
    const patience = setTimeout(() => reject(new Error("it took too long")), READY_MS);
    const settle = (act: () => void) => {
      clearTimeout(patience);
      act();
    };
    child.once("error", (error) => settle(() => reject(error)));
    child.once("exit", (code) => settle(() => reject(new Error(`it ended with ${code}`))));
    let text = "";
    (child.stdio[3] as Readable).on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const event = JSON.parse(line) as { event: string; socket: string; port: number };
        if (event.event === "listen") urls[event.socket] = `http://127.0.0.1:${event.port}`;
      }
      if (sockets.every((socket) => socket in urls)) settle(() => resolve(urls));
    });
  });
}
