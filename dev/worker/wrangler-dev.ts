// Runs the Worker under `wrangler dev` as a child process. Owns its temporary files, and stops it by process id.

import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import getPort from "get-port";
import { PortTakenError } from "../part.ts";
import { endProcess, untilReady } from "../services/process.ts";
import type { WorkerEnvironment } from "./environment.ts";

export interface WorkerProcess {
  readonly url: string;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** The Worker's output. Git ignores the folder. */
export const WORKER_LOG = fileURLToPath(new URL("../../.wrangler/worker.log", import.meta.url));
const MAX_CHUNKS = 1_000;
const WRANGLER = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));

/** A first build on a slow machine takes about ten seconds. */
const READY_MS = 90_000;

/** Gives wrangler time to stop its own child processes. */
const KILL_AFTER_MS = 5_000;

/**
 * Port 0 picks any free port. `publicHost`: the host and port in the URLs of the requests that the Worker sees, as if a
 * server with that name stood before it.
 * @throws PortTakenError naming PORT.
 * @throws Error with wrangler's output, when wrangler exits or does not start in time.
 */
export async function startWranglerDev(
  requested: number,
  environment: WorkerEnvironment,
  { publicHost }: { publicHost?: string } = {},
): Promise<WorkerProcess> {
  // For port 0 wrangler prints the port it chose on its console only, so the port is chosen here.
  const port = requested === 0 ? await getPort({ host: "127.0.0.1" }) : requested;
  await refuseTakenPort(port);
  const directory = mkdtempSync(join(tmpdir(), "bursar-"));
  const named = publicHost === undefined ? [] : ["--local-upstream", publicHost, "--upstream-protocol", "http"];
  const child = spawn(process.execPath, [WRANGLER, ...wranglerArguments(port, directory, environment), ...named], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
  });
  const output: string[] = [];
  mkdirSync(dirname(WORKER_LOG), { recursive: true });
  const log = createWriteStream(WORKER_LOG);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      log.write(chunk);
      // The first output explains a failed start. Keeping more would only use memory.
      if (output.length < MAX_CHUNKS) output.push(chunk.toString());
    });
  }
  const stop = async () => {
    await endProcess(child, "SIGTERM", KILL_AFTER_MS);
    log.end();
    rmSync(directory, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilReady("wrangler dev", child, () => answers(`${url}/healthz`), READY_MS);
  } catch (cause) {
    await stop();
    throw new Error(`wrangler dev did not start:\n${output.join("")}`, { cause });
  }
  return { url, stop };
}

function wranglerArguments(port: number, directory: string, { secrets, vars }: WorkerEnvironment): string[] {
  const envFile = join(directory, "dev.vars");
  writeFileSync(
    envFile,
    Object.entries(secrets)
      .map(([name, value]) => `${name}="${value}"\n`)
      .join(""),
    { mode: 0o600 },
  );
  return [
    "dev",
    ...["--port", String(port), "--ip", "127.0.0.1", "--inspector-port", "0"],
    ...["--env-file", envFile, "--persist-to", join(directory, "state")],
    ...["--local", "--test-scheduled", "--show-interactive-dev-session=false"],
    ...Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]),
  ];
}

/** Wrangler itself would use the next free port, and print that on its console only. */
function refuseTakenPort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => reject(new PortTakenError("worker", port, "PORT", error)));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve()));
  });
}

async function answers(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
  return answer?.ok === true;
}
