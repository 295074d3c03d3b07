// `npm start` and `npm run dev`: starts the whole local stack and, unless --no-story is given, plays the demo story.
// With --exit it stops after the story: exit code 0 when every step passed, else 1 with the step that failed.

import { styleText } from "node:util";
import { defineCommand, readCommandLine } from "../cli/command-line.ts";
import { DEV_ADMIN_TOKEN, litellmSetup, openInboxChannels, reportTo } from "./connect.ts";
import { PortTakenError } from "./part.ts";
import { InstallationError } from "./real-litellm/install.ts";
import { chooseAddress, type LitellmAddress, type StartingLitellm, startRealLitellm } from "./real-litellm/proxy.ts";
import { checkVersion, VersionError } from "./real-litellm/versions.ts";
import { ServiceMissingError } from "./services/process.ts";
import { SETTINGS_HELP, SettingsError, type StackSettings, settingsFromEnv } from "./settings.ts";
import { type Stack, startStack } from "./stack.ts";
import { playBudgetStory, StoryError } from "./story/budget-story.ts";
import { clientsFor } from "./story/clients.ts";
import { startTimeline } from "./story/timeline.ts";
import { sweepEveryMinute } from "./worker/sweeps.ts";
import { startWranglerDev, WORKER_LOG, type WorkerProcess } from "./worker/wrangler-dev.ts";

/** During the story LiteLLM's database lags by 1 s instead of 10 to 15 s, so that the story ends within a minute. */
const STORY_DATABASE_DELAY_MS = 1_000;

/** The simulator sends call events every second instead of every five, for the same reason. */
const STORY_FLUSH_MS = 1_000;

const { options } = readCommandLine(
  defineCommand({
    name: "npm start --",
    description: "Starts the local stack and the Worker, and plays the demo story.",
    environment: SETTINGS_HELP,
    exitCodes: {
      0: "ended by Ctrl-C, or with --exit after a story in which every step passed",
      1: "a part did not start, or a step of the story failed",
    },
  })
    .option("--exit", "stop the stack and exit after the story")
    .option("--no-story", "start the stack only, as npm run dev does")
    .option("--litellm <version>", "install and use this real LiteLLM, such as 1.110.2, instead of the simulator"),
);

let stack: Stack | null = null;
let worker: WorkerProcess | null = null;
let realLitellm: StartingLitellm | null = null;
const stopped = new AbortController();

async function stopAll(): Promise<void> {
  stopped.abort();
  // Its last reports still find the Worker.
  await realLitellm?.stop();
  await worker?.stop();
  await stack?.stop();
}

/** Where the LiteLLM that the command line asks for will listen; null: it asks for none. */
async function addressAskedFor({ ports }: StackSettings): Promise<LitellmAddress | null> {
  if (options.litellm === undefined) return null;
  checkVersion(options.litellm);
  return chooseAddress(ports.litellm);
}

/** Starts that LiteLLM after the Worker, whose configuration is pasted into its own. */
async function startLitellmBeside(workerUrl: string, address: LitellmAddress): Promise<void> {
  const { litellm: version = "" } = options;
  const pasted = await litellmSetup(workerUrl);
  console.log(`  LiteLLM ${version.padEnd(10)} starting …`);
  realLitellm = startRealLitellm({ version, address, pasted, say: console.log });
  await realLitellm.ready;
  console.log(`  LiteLLM ${version.padEnd(10)} ${address.url}, master key ${address.masterKey}`);
}

/** Starts everything and plays the story. */
async function run(): Promise<{ inboxUrl: string; workerUrl: string }> {
  const begunAt = Date.now();
  console.log("Starting the local stack …");
  const asked = settingsFromEnv(process.env);
  const address = await addressAskedFor(asked);
  const settings = address === null ? asked : { ...asked, litellm: address };
  const onStarted = (part: string, address: string) => console.log(`  ${part.padEnd(18)} ${address}`);
  const litellm = options.story ? { databaseDelayMs: STORY_DATABASE_DELAY_MS } : {};
  stack = await startStack(settings, { litellm, onStarted });
  console.log("  Worker             building …");
  worker = await startWranglerDev(settings.ports.worker, stack.environment);
  onStarted("Worker", worker.url);
  await openInboxChannels(worker.url, stack.inbox);
  const reporting = options.story ? { flushEventsMs: STORY_FLUSH_MS } : {};
  if (stack.litellm !== null) reportTo(worker.url, stack.litellm, reporting);
  if (address !== null) await startLitellmBeside(worker.url, address);
  console.log(`Up after ${((Date.now() - begunAt) / 1_000).toFixed(1)} s.\n`);
  const up = { inboxUrl: stack.inbox.url, workerUrl: worker.url };
  if (!options.story) return up;
  if (stack.litellm === null) {
    console.log("The story was skipped: it sets the cost of its calls, which only the LiteLLM simulator supports.");
    return up;
  }

  const urls = { worker: worker.url, litellm: stack.litellmUrl, inbox: stack.inbox.url };
  await playBudgetStory(clientsFor(urls, DEV_ADMIN_TOKEN), startTimeline(Date.now()));
  console.log(styleText("green", "\nEvery step passed."));
  return up;
}

/** Errors whose message says what to do. */
const EXPLAINED = [PortTakenError, SettingsError, VersionError, ServiceMissingError, InstallationError];

function explain(error: unknown): string {
  if (error instanceof StoryError) return `A step of the story failed: ${error.message}`;
  if (EXPLAINED.some((kind) => error instanceof kind)) return (error as Error).message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void stopAll().then(() => process.exit(0));
  });
}

try {
  const { inboxUrl, workerUrl } = await run();
  if (options.exit) {
    await stopAll();
    process.exit(0);
  }
  void sweepEveryMinute(workerUrl, stopped.signal);
  console.log(`Notices arrive at ${inboxUrl}; the Worker's log is ${WORKER_LOG}.`);
  console.log(`Press Ctrl-C to stop the stack. Admin token: ${DEV_ADMIN_TOKEN}, read token: dev-read-token.`);
} catch (error) {
  console.error(styleText("red", explain(error), { stream: process.stderr }));
  await stopAll();
  process.exit(1);
}
