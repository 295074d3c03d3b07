// The product behind the examples of docs/api.md: the built Worker on its own local stack, on free ports. Only the
// scenario causes faults.

import pg from "pg";
import { createTestHarness } from "wrangler";
import type { Litellm } from "../litellm/start.ts";
import { type Stack, startStack } from "../stack.ts";

export interface Product {
  readonly url: string;
  readonly stack: Stack;
  readonly litellm: Litellm;
  /** Puts a message on the notices queue. */
  sendNotice(message: unknown): Promise<void>;
  query(sql: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

const ANY_PORT = { worker: 0, litellm: 0, inbox: 0, postgres: 0, neon: 0, upstash: 0 };

/** A long deadline, so that a slow read on a busy machine does not lead to a degraded answer. */
const CHECK_DEADLINE_MS = "5000";

interface Bindings {
  readonly NOTICES_QUEUE: { send(message: unknown, options: { contentType: "json" }): Promise<void> };
}

/** `bundleDir`: the directory to which dev/worker/build.ts wrote worker.js. */
export async function startProduct(bundleDir: string): Promise<Product> {
  const settings = { ports: ANY_PORT, databaseUrl: null, redisUrl: null, litellm: null };
  const stack = await startStack(settings, { litellm: { databaseDelayMs: 0, callMs: 0 } });
  const { litellm } = stack;
  if (litellm === null) throw new Error("the scenario needs the LiteLLM simulator");
  const { secrets, vars } = stack.environment;
  const harness = createTestHarness({
    workers: [
      {
        configPath: "wrangler.toml",
        prebuiltWorkerDir: bundleDir,
        vars: { ...vars, CHECK_DEADLINE_MS },
        secrets: { ...secrets },
      },
    ],
  });
  const { url } = await harness.listen();
  return {
    url: url.origin,
    stack,
    litellm,
    async sendNotice(message) {
      const { NOTICES_QUEUE } = await harness.getWorker<Bindings>().getEnv();
      await NOTICES_QUEUE.send(message, { contentType: "json" });
    },
    async query(sql) {
      const client = new pg.Client({ connectionString: stack.postgres.databaseUrl });
      await client.connect();
      try {
        return (await client.query(sql)).rows;
      } finally {
        await client.end();
      }
    },
    async stop() {
      await harness.close();
      await stack.stop();
    },
  };
}
