// The local stack that each test file starts for itself on free ports, so that files can run in parallel and break its
// parts. With TEST_DATABASE_URL (and TEST_REDIS_URL) the same tests run on real servers.

import type { LitellmOptions } from "../../../dev/litellm/settings.ts";
import type { StackSettings } from "../../../dev/settings.ts";
import { type Stack, startStack } from "../../../dev/stack.ts";
import { createDatabase } from "../../support/servers/postgres-backends.ts";

export const FREE_PORTS: StackSettings = {
  ports: { worker: 0, litellm: 0, inbox: 0, postgres: 0, neon: 0, upstash: 0 },
  databaseUrl: null,
  redisUrl: null,
  litellm: null,
};

/** The stack's `stop` also drops the database. With `databaseDelayMs` 0 reads see spend at once. */
export async function startOwnStack(litellm: LitellmOptions = {}): Promise<Stack> {
  const { databaseUrl, drop } = await ownDatabase();
  const settings = { ...FREE_PORTS, databaseUrl, redisUrl: process.env["TEST_REDIS_URL"] ?? null };
  const stack = await startStack(settings, { litellm: { databaseDelayMs: 0, callMs: 0, ...litellm } });
  return {
    ...stack,
    async stop() {
      await stack.stop();
      await drop();
    },
  };
}

async function ownDatabase(): Promise<{ databaseUrl: string | null; drop(): Promise<void> }> {
  const serverUrl = process.env["TEST_DATABASE_URL"];
  return serverUrl ? createDatabase(serverUrl) : { databaseUrl: null, drop: async () => {} };
}
