// `npm run test:services`: runs every test that uses Postgres or Redis on real servers instead of the embedded ones.
// Starts the servers and stops them. TEST_DATABASE_URL and TEST_REDIS_URL name running servers to use instead; the
// tests create their own databases there.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { ServiceMissingError } from "./process.ts";
import { type Service, startRealPostgres } from "./real-postgres.ts";
import { startRealRedis } from "./real-redis.ts";

/** Leaves out the tests that break LiteLLM, KV or the queue: a real Postgres does not change their result. */
const E2E = [
  "adopt",
  "budget",
  "concurrency",
  "deployed",
  "kill-switch",
  "overrides",
  "postgres-fails",
  "redis-fails",
  "story",
];

const SUITES = [
  "test/stores/neon-",
  "test/stores/upstash-rest.test.ts",
  "test/migrations",
  "test/adapters/postgres",
  "test/adapters/redis",
  "test/plans",
  "test/soak",
  "test/flows/tenants/overrides-together.test.ts",
  ...E2E.map((name) => `test/e2e/${name}.test.ts`),
];

const {
  args: [vitestArguments],
} = readCommandLine(
  defineCommand({
    name: "npm run test:services --",
    description: "Runs the tests that touch Postgres or Redis on real servers, which it starts and stops.",
    environment: {
      TEST_DATABASE_URL: "a running Postgres to use instead",
      TEST_REDIS_URL: "a running Redis to use instead",
    },
    exitCodes: { 0: "every test passed", 1: "a test failed, or a server is missing" },
  })
    .argument("[vitest...]", "arguments for vitest, such as -t <title>")
    .allowUnknownOption(),
);

const started: Service[] = [];

async function urlOf(name: string, start: () => Promise<Service>): Promise<string> {
  const given = process.env[name];
  if (given) return given;
  const service = await start();
  started.push(service);
  return service.url;
}

async function run(): Promise<number> {
  const databaseUrl = await urlOf("TEST_DATABASE_URL", startRealPostgres);
  const redisUrl = await urlOf("TEST_REDIS_URL", startRealRedis);
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--project", "!far", ...SUITES, ...vitestArguments];
  const child = spawn(process.execPath, vitest, {
    stdio: "inherit",
    env: { ...process.env, TEST_DATABASE_URL: databaseUrl, TEST_REDIS_URL: redisUrl },
  });
  const [code] = await once(child, "exit");
  return typeof code === "number" ? code : 1;
}

let exitCode = 1;
try {
  exitCode = await run();
} catch (error) {
  console.error(error instanceof ServiceMissingError ? error.message : error);
} finally {
  for (const service of started) await service.stop();
}
process.exit(exitCode);
