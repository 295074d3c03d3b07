// The example of Ask, run as it is by Python, against the local stack.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiOf } from "../e2e/support/api.ts";
import { type Bursar, startBursar } from "../e2e/support/bursar.ts";
import { expectToStopAtTheBudget, runExample } from "../e2e/support/examples.ts";

let bursar: Bursar;

beforeAll(async () => {
  bursar = await startBursar();
});
afterAll(() => bursar.stop());

const [command, file] = ["python3", "examples/ask.py"];

describe("examples/ask.py", () => {
  it("answers while its tenant may spend, and says why when it may not", () =>
    expectToStopAtTheBudget(bursar, command, file));
});

it("E6: the agent that asks goes on working while Bursar cannot be reached", async () => {
  const { key } = await apiOf(bursar.url).createTenant();
  const { litellmUrl } = bursar.stack;
  const ended = await runExample({ command, file, key, bursarUrl: "http://127.0.0.1:1", litellmUrl });
  expect(ended).toMatchObject({ code: 0, stdout: "hello" });
});
