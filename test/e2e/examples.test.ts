// The examples, run as they are, against the local stack: they answer, and they stop when the budget does.

import { execFile } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiOf, send } from "./support/api.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";

let bursar: Bursar;
let api: ReturnType<typeof apiOf>;

beforeAll(async () => {
  bursar = await startBursar();
  api = apiOf(bursar.url);
});
afterAll(() => bursar.stop());

interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, file: string, key: string, bursarUrl = bursar.url): Promise<Ended> {
  const env = {
    PATH: process.env["PATH"],
    BURSAR_URL: bursarUrl,
    LITELLM_URL: bursar.stack.litellmUrl,
    LITELLM_VIRTUAL_KEY: key,
  };
  return new Promise((resolve) => {
    execFile(command, [file], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? null), stdout: stdout.trim(), stderr }),
    );
  });
}

describe.each([
  ["python3", "examples/ask.py"],
  [process.execPath, "examples/gate.ts"],
])("%s %s", (command, file) => {
  it("answers while its tenant may spend, and says why when it may not", async () => {
    const { tenantId, key } = await api.createTenant({ max_budget: 5 });
    expect(await run(command, file, key)).toMatchObject({ code: 0, stdout: "hello" });
    const body = { model: "mock", messages: [{ role: "user", content: "hello" }] };
    await send("POST", `${bursar.url}/llm/v1/chat/completions`, { token: key, headers: { "x-sim-cost": "6" }, body });
    const refused = await run(command, file, key);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain(`Budget exceeded for tenant ${tenantId}.`);
  });
});

it("E6: the agent that asks goes on working while Bursar cannot be reached", async () => {
  const { key } = await api.createTenant();
  expect(await run("python3", "examples/ask.py", key, "http://127.0.0.1:1")).toMatchObject({
    code: 0,
    stdout: "hello",
  });
});
