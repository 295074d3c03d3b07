// `npm start` and `npm run dev`: the whole local stack, and (unless --no-story) the demo story.
// With --exit it ends after the story: 0 when every step held, else 1 saying which did not.

import { styleText } from "node:util";
import { defineCommand, readCommandLine } from "../cli/command-line.ts";
import { DEV_ADMIN_TOKEN, openInboxChannels, reportTo } from "./connect.ts";
import { PortTakenError } from "./part.ts";
import { SETTINGS_HELP, SettingsError, settingsFromEnv } from "./settings.ts";
import { type Stack, startStack } from "./stack.ts";
import { playBudgetStory, StoryError } from "./story/budget-story.ts";
import { clientsFor } from "./story/clients.ts";
import { startTimeline } from "./story/timeline.ts";
import { startWranglerDev, WORKER_LOG, type WorkerProcess } from "./worker/wrangler-dev.ts";

/** In the story LiteLLM's database is a second late instead of fifteen, so that it is over within a minute. */
const STORY_DATABASE_DELAY_MS = 1_000;

/** The simulator reports the cost of calls every second instead of every five. */
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
    .option("--no-story", "start the stack only, as npm run dev does"),
);

let stack: Stack | null = null;
let worker: WorkerProcess | null = null;

async function stopAll(): Promise<void> {
  await worker?.stop();
  await stack?.stop();
}

/** Answers where the inbox is. */
async function run(): Promise<string> {
  const begunAt = Date.now();
  const settings = settingsFromEnv(process.env);
  console.log("Starting the local stack …");
  const tell = (part: string, where: string) => console.log(`  ${part.padEnd(18)} ${where}`);
  const litellm = options.story ? { databaseDelayMs: STORY_DATABASE_DELAY_MS } : {};
  stack = await startStack(settings, { litellm, tell });
  console.log("  Worker             building …");
  worker = await startWranglerDev(settings.ports.worker, stack.environment);
  tell("Worker", worker.url);
  await openInboxChannels(worker.url, stack.inbox);
  const reporting = options.story ? { flushEventsMs: STORY_FLUSH_MS } : {};
  if (stack.litellm !== null) reportTo(worker.url, stack.litellm, reporting);
  console.log(`Up after ${((Date.now() - begunAt) / 1_000).toFixed(1)} s.\n`);
  if (!options.story) return stack.inbox.url;
  if (stack.litellm === null) {
    console.log(
      "The story sets what its calls cost, which only the simulator lets it: it is not played on a real LiteLLM.",
    );
    return stack.inbox.url;
  }

  const urls = { worker: worker.url, litellm: stack.litellmUrl, inbox: stack.inbox.url };
  await playBudgetStory(clientsFor(urls, DEV_ADMIN_TOKEN), startTimeline(Date.now()));
  console.log(styleText("green", "\nEvery step held."));
  return stack.inbox.url;
}

function explain(error: unknown): string {
  if (error instanceof StoryError) return `The story broke: ${error.message}`;
  if (error instanceof PortTakenError || error instanceof SettingsError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void stopAll().then(() => process.exit(0));
  });
}

try {
  const inboxUrl = await run();
  if (options.exit) {
    await stopAll();
    process.exit(0);
  }
  console.log(`Notices arrive at ${inboxUrl}; the Worker's log is ${WORKER_LOG}.`);
  console.log(`The stack stays up; Ctrl-C ends it. Admin token: ${DEV_ADMIN_TOKEN}, read token: dev-read-token.`);
} catch (error) {
  console.error(styleText("red", explain(error), { stream: process.stderr }));
  await stopAll();
  process.exit(1);
}
