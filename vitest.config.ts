import { availableParallelism } from "node:os";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const NODE_SUITES = [
  "budget",
  "flows",
  "http",
  "adapters",
  "litellm",
  "stores",
  "migrations",
  "dev",
  "notices",
  "soak",
  "cli",
  "cron",
  "wire",
  "plans",
];

const WHOLLY_COVERED = [
  "src/budget/**",
  "src/flows/**",
  "src/notices/**",
  "src/wire/signing.ts",
  "src/http/litellm/{webhooks,events,event-body,shallow-json}.ts",
];

/** One more than cores: the end-to-end files mostly wait for queues and deadlines of real time. */
const WORKERS = availableParallelism() + 1;

/** Drizzle replaces the type parsers of Neon's driver for a whole process; these tests need the driver as it comes. */
const DRIVER_ALONE = "test/stores/neon-http.test.ts";

/** On real LiteLLM proxies, which `npm run test:litellm` starts: these break what the other files use, or measure. */
const PROXY_ALONE = "test/real/alone/*.test.ts";

/** A hundred checks at once, each within its deadline: these run after everything else, with the machine to themselves. */
const MACHINE_ALONE = "test/e2e/concurrency.test.ts";

/** Suites of `test/e2e` that also run as deployed: three isolates, stores far away, the deadline of wrangler.toml. */
const PLAYED_FAR = ["budget", "deployed", "gate", "guard", "kill-switch", "overrides"];

const isDeployed = process.env["BASE_URL"]?.startsWith("http") === true;

export default defineConfig({
  test: {
    maxWorkers: WORKERS,
    projects: [
      {
        test: {
          name: "driver",
          globalSetup: "test/support/servers/empty-cluster.ts",
          include: [DRIVER_ALONE],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "node",
          // One process runs many files: each resets what it replaced (clocks, globals), as `afterAll` lets it.
          isolate: false,
          globalSetup: "test/support/servers/empty-cluster.ts",
          include: NODE_SUITES.map((suite) => `test/${suite}/**/*.test.ts`),
          exclude: [DRIVER_ALONE],
          // Ends what hangs; no test is meant to show its speed by it.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: { bindings: inject("environment") },
          })),
        ],
        test: {
          name: "worker",
          include: ["test/worker/**/*.test.ts"],
          globalSetup: "test/support/servers/worker-stack.ts",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "e2e",
          // Against a deployment only what needs nothing but its public interface.
          include: [isDeployed ? "test/e2e/deployed.test.ts" : "test/e2e/**/*.test.ts"],
          exclude: [MACHINE_ALONE],
          globalSetup: "test/e2e/support/build.ts",
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "e2e-alone",
          include: [MACHINE_ALONE],
          globalSetup: "test/e2e/support/build.ts",
          sequence: { groupOrder: 1 },
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "far",
          include: ["test/far/**/*.test.ts", ...PLAYED_FAR.map((suite) => `test/e2e/${suite}.test.ts`)],
          env: { STORES: "far" },
          // Their deadlines are those of production, so no file may take another's processor time.
          fileParallelism: false,
          globalSetup: "test/e2e/support/build.ts",
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "python",
          include: ["test/python/**/*.test.ts"],
          globalSetup: "test/e2e/support/build.ts",
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "real",
          include: ["test/real/*.test.ts"],
          // LiteLLM's database lags by up to 25 s, several times in a test.
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      {
        test: {
          name: "real-alone",
          include: [PROXY_ALONE],
          sequence: { groupOrder: 2 },
          fileParallelism: false,
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: ["text", "html", "lcov"],
      // What decides about money, and who may tell us of it: every line and every branch.
      thresholds: Object.fromEntries(WHOLLY_COVERED.map((glob) => [glob, { 100: true }])),
    },
  },
});
