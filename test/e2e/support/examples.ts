// Runs the examples as an agent's developer does: each in a new process, with the settings that its header names.

import { execFile } from "node:child_process";
import { expect } from "vitest";
import { apiOf, send } from "./api.ts";
import type { Bursar } from "./bursar.ts";

interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExampleRun {
  readonly command: string;
  readonly file: string;
  readonly key: string;
  readonly bursarUrl: string;
  readonly litellmUrl: string;
}

export function runExample({ command, file, key, bursarUrl, litellmUrl }: ExampleRun): Promise<Ended> {
  const env = {
    PATH: process.env["PATH"],
    BURSAR_URL: bursarUrl,
    LITELLM_URL: litellmUrl,
    LITELLM_VIRTUAL_KEY: key,
  };
  return new Promise((resolve) => {
    execFile(command, [file], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? null), stdout: stdout.trim(), stderr }),
    );
  });
}

/** Asserts that the example prints an answer within the budget, and a reason once the budget is exhausted. */
export async function expectToStopAtTheBudget(bursar: Bursar, command: string, file: string): Promise<void> {
  const { tenantId, key } = await apiOf(bursar.url).createTenant({ max_budget: 5 });
  const run = () => runExample({ command, file, key, bursarUrl: bursar.url, litellmUrl: bursar.stack.litellmUrl });
  expect(await run()).toMatchObject({ code: 0, stdout: "hello" });
  const body = { model: "mock", messages: [{ role: "user", content: "hello" }] };
  await send("POST", `${bursar.url}/llm/v1/chat/completions`, { token: key, headers: { "x-sim-cost": "6" }, body });
  const refused = await run();
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain(`Budget exceeded for tenant ${tenantId}.`);
}
