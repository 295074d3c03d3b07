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

function forward(...scripted: Scripted) {
  server.answers(scripted);
  return liteLlmCalls(server.url).forward({
    method: "POST",
    path: "/v1/chat/completions",
    headers: new Headers(),
    body: null,
    signal: new AbortController().signal,
  });
}

async function answerTo(...scripted: Scripted) {
  const answer = await forward(...scripted);
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

describe("an error that LiteLLM passes on", () => {
  const OVERLOADED = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };

  it.each([500, 502, 503, 504, 520, 522, 529, 530])("counts as LiteLLM's answer, with status %i", async (status) => {
    const answer = await answerTo(status, OVERLOADED, JSON_TYPE);
    expect([answer.status, answer.isBudgetRefusal]).toEqual([status, false]);
    expect(await new Response(answer.body).json()).toEqual(OVERLOADED);
  });

  it.each([502, 504, 529])("keeps whatever body it has, with status %i", async (status) => {
    expect(await new Response((await answerTo(status, "<h1>overloaded</h1>")).body).text()).toContain("overloaded");
  });
});

describe("an answer in place of LiteLLM's", () => {
  const CLOUDFLARES = { type: "https://cloudflare.test/5xx", title: "Error 521", status: 521, cloudflare_error: true };

  it.each<[number, Scripted[1], boolean]>([
    [307, "", false],
    [520, "<h1>unknown error</h1>", true],
    [521, CLOUDFLARES, false],
    [522, CLOUDFLARES, true],
    [523, "", false],
    [524, CLOUDFLARES, true],
    [525, "", false],
    [526, "", false],
    [530, "error code: 1016", false],
  ])("says whether the call may have arrived, with status %i", async (status, body, mayHaveArrived) => {
    const headers: Record<string, string> = typeof body === "string" ? {} : JSON_TYPE;
    expect(await forward(status, body, headers)).toEqual({
      kind: "unreachable",
      why: `status ${status}`,
      mayHaveArrived,
    });
  });

  it("leaves it open whether the call arrived when the connection breaks", async () => {
    const broken = liteLlmCalls("http://127.0.0.1:1").forward({
      method: "POST",
      path: "/v1/chat/completions",
      headers: new Headers(),
      body: null,
      signal: new AbortController().signal,
    });
    expect(await broken).toEqual({ kind: "unreachable", why: "network", mayHaveArrived: true });
  });
});
