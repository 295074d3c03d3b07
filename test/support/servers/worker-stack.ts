// The parts behind the tests that run inside workerd: a real Postgres, an embedded Redis and the LiteLLM simulator,
// shared by all files. The Worker gets their addresses in the same variables as on a developer's machine.

import { createRequire } from "node:module";
import type { TestProject } from "vitest/node";
import type { StackSettings } from "../../../dev/settings.ts";

// `createRequire` makes Node load the stack. Resolved for workerd, some of its packages would be their browser builds.
const { startStack }: typeof import("../../../dev/stack.ts") = createRequire(import.meta.url)("../../../dev/stack.ts");

const SETTINGS: StackSettings = {
  ports: { worker: 0, litellm: 0, inbox: 0, postgres: 0, neon: 0, upstash: 0 },
  databaseUrl: null,
  redisUrl: null,
  litellm: null,
};

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stack = await startStack(SETTINGS, { litellm: { databaseDelayMs: 0, callMs: 0 } });
  const { vars, secrets } = stack.environment;
  project.provide("environment", { ...vars, ...secrets });
  return () => stack.stop();
}

declare module "vitest" {
  export interface ProvidedContext {
    environment: Record<string, string>;
  }
}
