// Starts a real LiteLLM proxy on a real Postgres, both on loopback, and stops both by process id.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import getPort from "get-port";
import { endProcess, untilReady } from "../services/process.ts";
import { startRealPostgres } from "../services/real-postgres.ts";
import { type ConfigParts, configText } from "./config.ts";
import { install, schemaPathOf } from "./install.ts";
import { createTables } from "./tables.ts";
import { checkVersion, type Installation } from "./versions.ts";

export interface RealLitellm {
  readonly url: string;
  readonly masterKey: string;
  /** LiteLLM's log. Deleted when the proxy stops. */
  readonly logPath: string;
}

export interface StartingLitellm {
  /**
   * Rejects with VersionError, ServiceMissingError or InstallationError before anything runs, and with the end of
   * LiteLLM's log when it does not get ready. Nothing keeps running then.
   */
  readonly ready: Promise<RealLitellm>;
  /** Stops what has been started so far, also before `ready`. */
  stop(): Promise<void>;
}

/** Where a proxy will listen, and its master key: known before it starts, because a Bursar may start first. */
export interface LitellmAddress {
  readonly url: string;
  readonly port: number;
  readonly masterKey: string;
}

export interface RealLitellmOptions extends ConfigParts {
  readonly version: string;
  /** Absent: a free port and a new master key. */
  readonly address?: LitellmAddress;
  /** Receives one line per step of the installation. */
  readonly say?: (line: string) => void;
}

/** LiteLLM imports several hundred modules; a busy machine of two cores needs minutes. */
const READY_MS = 420_000;
/** After SIGTERM LiteLLM writes the spend that is pending. */
const STOP_MS = 15_000;
const SHOWN_LINES_OF_LOG = 20;

/** `port` 0: any free port. */
export async function chooseAddress(port = 0): Promise<LitellmAddress> {
  const chosen = port || (await getPort({ host: "127.0.0.1" }));
  const masterKey = `sk-${randomBytes(24).toString("base64url")}`;
  return { url: `http://127.0.0.1:${chosen}`, port: chosen, masterKey };
}

export function startRealLitellm(options: RealLitellmOptions): StartingLitellm {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).toReversed()) await each();
  };
  const ready = start(options, stops).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { ready, stop };
}

/** Adds to `stops` how to stop each part, as soon as it runs. */
async function start(options: RealLitellmOptions, stops: (() => Promise<void>)[]): Promise<RealLitellm> {
  checkVersion(options.version);
  const installation = await install(options.version, options.say ?? (() => {}));
  const postgres = await startRealPostgres();
  stops.push(() => postgres.stop());
  await createTables(postgres.url, await schemaPathOf(installation));
  const directory = mkdtempSync(join(tmpdir(), "bursar-litellm-"));
  stops.push(async () => rmSync(directory, { recursive: true, force: true }));
  const { ready, stop, ...proxy } = await startProxy(installation, {
    ...options,
    directory,
    databaseUrl: postgres.url,
  });
  stops.push(stop);
  await ready();
  return proxy;
}

type ProxyOptions = RealLitellmOptions & { readonly directory: string; readonly databaseUrl: string };

async function startProxy(installation: Installation, options: ProxyOptions) {
  const { directory } = options;
  const { url, port, masterKey } = options.address ?? (await chooseAddress());
  const configPath = join(directory, "config.yaml");
  const logPath = join(directory, "litellm.log");
  writeFileSync(configPath, configText(options), { mode: 0o600 });
  const log = openSync(logPath, "a");
  const flags = ["--config", configPath, "--host", "127.0.0.1", "--port", String(port)];
  const child = spawn(installation.litellm, flags, {
    cwd: directory,
    stdio: ["ignore", log, log],
    env: proxyEnvironment(installation, options.databaseUrl, masterKey),
  });
  const failed = startFailure(child);
  return {
    url,
    masterKey,
    logPath,
    async ready(): Promise<void> {
      try {
        await Promise.race([untilReady(`LiteLLM ${options.version}`, child, () => isReady(url), READY_MS), failed]);
      } catch (error) {
        throw new Error(`LiteLLM's log ends with:\n${endOf(logPath)}`, { cause: error });
      }
    },
    stop: () => endProcess(child, "SIGTERM", STOP_MS),
  };
}

/** Rejects when the program cannot be started at all. */
function startFailure(child: ReturnType<typeof spawn>): Promise<never> {
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  failed.catch(() => {});
  return failed;
}

/** LiteLLM reads many variables; it gets none but these, so that every run is the same. */
function proxyEnvironment(installation: Installation, databaseUrl: string, masterKey: string): NodeJS.ProcessEnv {
  const programs = [installation.stubs, dirname(installation.python), process.env["PATH"] ?? ""];
  return {
    PATH: programs.join(":"),
    HOME: process.env["HOME"] ?? "/",
    LANG: "C.UTF-8",
    TZ: "UTC",
    DATABASE_URL: databaseUrl.replace(/^postgres:/, "postgresql:"),
    LITELLM_MASTER_KEY: masterKey,
    PRISMA_QUERY_ENGINE_BINARY: installation.queryEngine,
    // The tables exist, and the price list in the package is the same on every run.
    DISABLE_SCHEMA_UPDATE: "true",
    LITELLM_LOCAL_MODEL_COST_MAP: "True",
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health/readiness`, { signal: AbortSignal.timeout(5_000) });
    const body = (await response.json()) as { db?: string };
    return response.ok && body.db === "connected";
  } catch {
    return false;
  }
}

function endOf(path: string): string {
  return readFileSync(path, "utf8").trimEnd().split("\n").slice(-SHOWN_LINES_OF_LOG).join("\n");
}
