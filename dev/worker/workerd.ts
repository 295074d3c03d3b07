// Runs the built Worker on plain workerd as a child process, with no proxy in front and a KV that a test can break.
// Owns its temporary files, and stops it by process id. Runs cron when asked; delivers queues only if told to.

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
import { CRON_SOCKET, HTTP_SOCKET, type WorkerBindings, workerdConfig } from "./workerd-config.ts";
import type { QueueConsumer } from "./workerd-queues.ts";

export interface Workerd {
  readonly pid: number;
  readonly url: string;
  /**
   * URLs by binding of the KV namespaces and queues inside workerd. All answer `/_counts`; KV also answers its own
   * protocol, and brokers answer `/_backlog`.
   */
  readonly services: Readonly<Record<string, string>>;
  /** Runs the cron trigger, with the time that the Worker takes for now. @throws Error when it fails. */
  runCron(at: number): Promise<void>;
  /** Everything that workerd has printed so far, including the Worker's log lines. */
  output(): string;
  stop(): Promise<void>;
}

const WRANGLER_TOML = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));
const SERVICES = [
  ...["cron", "kv", "queue", "queue-broker"].map((name) => `services/${name}.js`),
  "../kv/kv-handler.js",
];

/** workerd listens within half a second, but takes longer on a machine that is busy with other tests. */
const READY_MS = 60_000;

/**
 * Runs `bundleDir`/worker.js, as written by `wrangler deploy --dry-run --outdir`.
 * `kv`: host and port of an external KV namespace (see dev/kv/start-kv.ts). Default: one inside workerd.
 * `deliversQueues`: queues deliver to the Worker by the consumers of wrangler.toml. Default: they only count messages.
 * @throws Error with workerd's output, when workerd exits or does not start in time.
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
  const printed: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => printed.push(chunk.toString()));
  const stop = async () => {
    // SIGKILL is safe, because workerd stores nothing. On SIGTERM it would wait for its requests to broken parts.
    await endProcess(child, "SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  };
  const queues = bindings.queues.map(({ binding }) => binding);
  const sockets = [HTTP_SOCKET, CRON_SOCKET, ...(options.kv ? [] : bindings.kvNamespaces), ...queues];
  try {
    const { [HTTP_SOCKET]: url = "", [CRON_SOCKET]: cronUrl = "", ...services } = await listening(child, sockets);
    const runCron = async (at: number) => {
      const { status } = await fetch(`${cronUrl}/?at=${at}`, { method: "POST" });
      if (status !== 200) throw new Error(`the cron trigger failed: ${status}`);
    };
    return { pid: child.pid ?? 0, url, services, runCron, output: () => printed.join(""), stop };
  } catch (cause) {
    await stop();
    throw new Error(`workerd did not start:\n${printed.join("")}`, { cause });
  }
}

/** The part of wrangler's parsed configuration that is read here. Wrangler does not export the whole type. */
interface WranglerConfig {
  readonly compatibility_date?: string;
  readonly compatibility_flags: readonly string[];
  readonly vars: Readonly<Record<string, unknown>>;
  readonly kv_namespaces: readonly { binding: string }[];
  readonly queues: {
    readonly producers?: readonly { binding: string; queue?: string }[];
    readonly consumers?: readonly QueueConsumer[];
  };
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
  };
}

/** The workerd binary that wrangler itself uses. */
function workerdBinary(): string {
  const wrangler = createRequire(import.meta.url).resolve("wrangler/package.json");
  return (createRequire(wrangler)("workerd") as { default: string }).default;
}

/** Waits until every socket listens; workerd reports each port on its control channel. */
function listening(child: ChildProcess, sockets: readonly string[]): Promise<Record<string, string>> {
  const urls: Record<string, string> = {};
  return new Promise((resolve, reject) => {
    const timeout = setTimeout(() => reject(new Error(`not ready within ${READY_MS / 1_000} s`)), READY_MS);
    const settle = (act: () => void) => {
      clearTimeout(timeout);
      act();
    };
    child.once("error", (error) => settle(() => reject(error)));
    child.once("exit", (code) => settle(() => reject(new Error(`exited with code ${code}`))));
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
