// The built Worker with a local stack, over HTTP. Each test file starts its own on free ports, so that files can run in
// parallel and break their parts.

import { createTestHarness } from "wrangler";
import type { LitellmOptions } from "../../../dev/litellm/settings.ts";
import type { StackSettings } from "../../../dev/settings.ts";
import { type Stack, startStack } from "../../../dev/stack.ts";
import { createDatabase } from "../../support/servers/postgres-backends.ts";
import { BUNDLE_DIR } from "./build.ts";

export interface Bursar {
  readonly url: string;
  readonly stack: Stack;
  /** Runs the cron with a clock that is ahead by the given time. */
  sweep(laterMs?: number): Promise<void>;
  /** The Worker's log, by line. */
  logs(): string[];
  /** Direct access to the Worker's KV namespace. */
  snapshots(): Promise<{ put(key: string, value: string): Promise<void>; get(key: string): Promise<string | null> }>;
  stop(): Promise<void>;
}

/** With TEST_DATABASE_URL (and TEST_REDIS_URL) the same tests run on real servers. */
async function ownDatabase(): Promise<{ databaseUrl: string | null; drop(): Promise<void> }> {
  const serverUrl = process.env["TEST_DATABASE_URL"];
  return serverUrl ? createDatabase(serverUrl) : { databaseUrl: null, drop: async () => {} };
}

type KvHandle = Awaited<ReturnType<Bursar["snapshots"]>>;

export const FREE_PORTS: StackSettings = {
  ports: { worker: 0, litellm: 0, inbox: 0, postgres: 0, neon: 0, upstash: 0 },
  databaseUrl: null,
  redisUrl: null,
  litellm: null,
};

/** Long, because these tests are not about speed: a busy test machine must not cause degraded answers. */
const PATIENT = { CHECK_DEADLINE_MS: "5000" };

/** With `databaseDelayMs` 0 reads see spend at once. Tests about LiteLLM's lag set it. */
export async function startBursar(
  options: { litellm?: LitellmOptions; vars?: Readonly<Record<string, string>> } = {},
): Promise<Bursar> {
  const { databaseUrl, drop } = await ownDatabase();
  const settings = { ...FREE_PORTS, databaseUrl, redisUrl: process.env["TEST_REDIS_URL"] ?? null };
  const stack = await startStack(settings, { litellm: { databaseDelayMs: 0, callMs: 0, ...options.litellm } });
  const { secrets, vars } = stack.environment;
  const harness = createTestHarness({
    workers: [
      {
        configPath: "wrangler.toml",
        prebuiltWorkerDir: BUNDLE_DIR,
        vars: { ...vars, ...PATIENT, ...options.vars },
        secrets: { ...secrets },
      },
    ],
  });
  const { url } = await harness.listen();
  return {
    url: url.origin,
    stack,
    async sweep(laterMs = 0) {
      await harness.getWorker().scheduled({ cron: "* * * * *", scheduledTime: new Date(Date.now() + laterMs) });
    },
    logs: () => harness.getLogs().map((line) => JSON.stringify(line)),
    snapshots: async () => (await harness.getWorker<{ SNAPSHOTS: KvHandle }>().getEnv()).SNAPSHOTS,
    async stop() {
      await harness.close();
      await stack.stop();
      await drop();
    },
  };
}
