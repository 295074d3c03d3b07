// Model calls through the real adapter: which answers of LiteLLM are refusals for a budget.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { liteLlmCalls } from "../../../src/adapters/litellm/litellm-calls.ts";
import { type Scripted, type ScriptedServer, startScriptedServer } from "../../support/servers/scripted-server.ts";

let server: ScriptedServer;
beforeAll(async () => {
  server = await startScriptedServer();
});
afterAll(() => server.stop());

const JSON_TYPE = { "content-type": "application/json" };
const MESSAGE = `Budget has been exceeded! Key=${"b4d30d4d".repeat(8)} Current cost: 491.76, Max budget: 110.0`;

async function answerTo(...scripted: Scripted) {
  server.answers(scripted);
  const answer = await liteLlmCalls(server.url).forward({
    method: "POST",
    path: "/v1/chat/completions",
    headers: new Headers(),
    body: null,
    signal: new AbortController().signal,
  });
  if (answer.kind !== "answered") throw new Error(answer.why);
  return answer;
}

const openAis = (message = MESSAGE) => ({ error: { message, type: "budget_exceeded", param: null, code: "422" } });
const anthropics = (message = MESSAGE) => ({
  type: "error",
  error: { type: "invalid_request_error", message, litellm_error_type: "budget_exceeded" },
});

describe("liteLlmCalls", () => {
  it.each([400, 402, 422, 429])(
    "recognises a refusal for a budget by its type in both envelopes, with status %i",
    async (status) => {
      expect(await answerTo(status, openAis(), JSON_TYPE)).toMatchObject({ status, isBudgetRefusal: true });
      expect(await answerTo(status, anthropics(), JSON_TYPE)).toMatchObject({ status, isBudgetRefusal: true });
    },
  );

  it.each([
    ["1.81.9, OpenAI's envelope", "budget-exceeded-400.json"],
    ["1.110.2, Anthropic's envelope", "budget-exceeded-messages-422.json"],
  ])("recognises the refusal captured from %s", async (_, file) => {
    const captured = readFileSync(new URL(`../../litellm/captures/${file}`, import.meta.url), "utf8");
    expect(await answerTo(422, captured, JSON_TYPE)).toMatchObject({ isBudgetRefusal: true });
  });

  it("recognises a refusal although a long name of a key precedes the type", async () => {
    const { isBudgetRefusal } = await answerTo(422, openAis(`Key=${"x".repeat(5_000)}`), JSON_TYPE);
    expect(isBudgetRefusal).toBe(true);
  });

  it("keeps the message of a refusal in the body, which Gate discards", async () => {
    const { body, ...rest } = await answerTo(422, openAis(), JSON_TYPE);
    await body?.cancel();
    expect(JSON.stringify(rest)).not.toContain("b4d30d4d");
  });
});

it.each<[string, Scripted]>([
  ["another type with the same text", [429, { error: { message: MESSAGE, type: "rate_limit_error" } }, JSON_TYPE]],
  ["a success that mentions it", [200, openAis(), JSON_TYPE]],
  ["text", [422, JSON.stringify(openAis()), { "content-type": "text/plain" }]],
  ["broken JSON", [422, '{"error":', JSON_TYPE]],
  ["JSON that is no object", [422, "null", JSON_TYPE]],
])("does not take %s for a refusal, and leaves the body intact", async (_, scripted) => {
  const answer = await answerTo(...scripted);
  const [, body] = scripted;
  expect(answer.isBudgetRefusal).toBe(false);
  expect(await new Response(answer.body).text()).toBe(typeof body === "string" ? body : JSON.stringify(body));
});
