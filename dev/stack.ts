// The parts of the local stack around the Worker: Postgres, Redis, LiteLLM, inbox. Starts and stops them together.

import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import { type Inbox, startInbox } from "./inbox/start.ts";
import type { LitellmOptions } from "./litellm/settings.ts";
import { type Litellm, startLitellm } from "./litellm/start.ts";
import type { Part } from "./part.ts";
import { hasEmptyCluster } from "./postgres/empty-cluster.ts";
import { type LocalPostgres, startPostgres } from "./postgres/start-postgres.ts";
import type { StackSettings } from "./settings.ts";
import { startUpstash } from "./upstash/start-upstash.ts";
import { type WorkerEnvironment, workerEnvironment } from "./worker/environment.ts";

export interface Stack {
  readonly postgres: LocalPostgres;
  readonly upstash: Part;
  /** The simulator. Null when the stack uses a real LiteLLM. */
  readonly litellm: Litellm | null;
  readonly litellmUrl: string;
  readonly litellmMasterKey: string;
  readonly inbox: Inbox;
  readonly environment: WorkerEnvironment;
  stop(): Promise<void>;
}

const MIGRATIONS = fileURLToPath(new URL("../migrations", import.meta.url));
const UPSTASH_TOKEN = "dev-upstash-token";

/**
 * Starts the parts one after the other and applies the migrations. Calls `onStarted` with each part once it is up.
 * @throws PortTakenError, after stopping the parts that were already up.
 */
export async function startStack(
  settings: StackSettings,
  options: { litellm?: LitellmOptions; onStarted?: (part: string, address: string) => void } = {},
): Promise<Stack> {
  const { ports, databaseUrl, redisUrl } = settings;
  const onStarted = options.onStarted ?? (() => {});
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.toReversed()) await each();
  };
  try {
    if (databaseUrl === null && !hasEmptyCluster())
      onStarted("Postgres", "creating an empty database (first run only, about 10 s) …");
    const postgres = await startPostgres({
      port: ports.postgres,
      neonPort: ports.neon,
      ...(databaseUrl !== null && { databaseUrl }),
    });
    stops.push(() => postgres.stop());
    await applyMigrations(postgres.databaseUrl);
    onStarted("Postgres", withoutPassword(postgres.databaseUrl));
    onStarted("Neon HTTP", postgres.neon.url);

    const upstash = await startUpstash({
      port: ports.upstash,
      token: UPSTASH_TOKEN,
      ...(redisUrl !== null && { redisUrl }),
    });
    stops.push(() => upstash.stop());
    onStarted("Upstash REST", upstash.url);

    const profile = settings.litellmProfile === undefined ? {} : { profile: settings.litellmProfile };
    const simulated = { port: ports.litellm, ...profile, ...options.litellm };
    const litellm = settings.litellm === null ? await startLitellm(simulated) : null;
    if (litellm !== null) stops.push(() => litellm.stop());
    const litellmUrl = litellm?.url ?? settings.litellm?.url ?? "";
    const litellmMasterKey = litellm?.masterKey ?? settings.litellm?.masterKey ?? "";
    onStarted(litellm === null ? "LiteLLM" : "LiteLLM simulator", litellmUrl);

    const inbox = await startInbox(ports.inbox);
    stops.push(() => inbox.stop());
    onStarted("Inbox", inbox.url);

    const environment = workerEnvironment({
      databaseUrl: postgres.databaseUrl,
      neonUrl: postgres.neon.url,
      upstashUrl: upstash.url,
      litellmUrl,
      litellmMasterKey,
      inboxUrl: inbox.url,
    });
    return { postgres, upstash, litellm, litellmUrl, litellmMasterKey, inbox, environment, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function applyMigrations(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await migrate(drizzle(client), { migrationsFolder: MIGRATIONS });
  } finally {
    await client.end();
  }
}

function withoutPassword(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  if (url.password !== "") url.password = "***";
  return url.href;
}
