// The built Worker with a local stack, over HTTP: near its stores with a long deadline, or in the "far" project as it
// is deployed. Each test file starts its own.

import { createTestHarness } from "wrangler";
import type { LitellmOptions } from "../../../dev/litellm/settings.ts";
import type { Stack } from "../../../dev/stack.ts";
import { BUNDLE_DIR } from "./build.ts";
import { startFarBursar } from "./far-bursar.ts";
import { startOwnStack } from "./own-stack.ts";

export interface Bursar {
  readonly url: string;
  readonly stack: Stack;
  /** Runs the cron with a clock that is ahead by the given time. */
  sweep(laterMs?: number): Promise<void>;
  /** Resolves when the Worker has learned what earlier calls made it look up behind their answers. */
  settled(): Promise<void>;
  /** The Worker's log, by line. */
  logs(): string[];
  /** Direct access to the Worker's KV namespace. */
  snapshots(): Promise<{ put(key: string, value: string): Promise<void>; get(key: string): Promise<string | null> }>;
  stop(): Promise<void>;
}

type KvHandle = Awaited<ReturnType<Bursar["snapshots"]>>;

export interface BursarOptions {
  readonly litellm?: LitellmOptions;
  readonly vars?: Readonly<Record<string, string>>;
}

/** Set by the "far" project of vitest.config.ts. */
export function isFar(): boolean {
  return process.env["STORES"] === "far";
}

/** Long, because these tests are not about speed: a busy test machine must not cause degraded answers. */
const PATIENT = { CHECK_DEADLINE_MS: "5000" };

/** Tests about LiteLLM's lag set `databaseDelayMs`. */
export function startBursar(options: BursarOptions = {}): Promise<Bursar> {
  return isFar() ? startFarBursar(options) : startNear(options);
}

/**
 * The answer that must be right: near its stores the first, far from them the second, because a first answer may be
 * the policy's while Bursar looks up.
 */
export async function answerOnceLearned<T>(bursar: Pick<Bursar, "settled">, call: () => Promise<T>): Promise<T> {
  if (isFar()) {
    await call();
    await bursar.settled();
  }
  return call();
}

async function startNear({ litellm, vars: own }: BursarOptions): Promise<Bursar> {
  const stack = await startOwnStack(litellm);
  const { secrets, vars } = stack.environment;
  const harness = createTestHarness({
    workers: [
      {
        configPath: "wrangler.toml",
        prebuiltWorkerDir: BUNDLE_DIR,
        vars: { ...vars, ...PATIENT, ...own },
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
    settled: async () => {},
    logs: () => harness.getLogs().map((line) => JSON.stringify(line)),
    snapshots: async () => (await harness.getWorker<{ SNAPSHOTS: KvHandle }>().getEnv()).SNAPSHOTS,
    async stop() {
      await harness.close();
      await stack.stop();
    },
  };
}
