// The config for LiteLLM, proved by use: parsed as LiteLLM parses it, with captured bodies sent to its URLs.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { createApp } from "../../../src/app.ts";
import type { Tokens } from "../../../src/ports/policy.ts";
import { NOW } from "../../budget/builders.ts";
import { POLICY } from "../../support/worlds/check-world.ts";
import { TOKENS } from "../../support/worlds/http-world.ts";
import { CAPTURES, EndpointsWorld } from "./endpoints.ts";
import { aQuestion } from "./guard-world.ts";

const ORIGIN = "https://bursar.example";
const execution = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };

let world: EndpointsWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new EndpointsWorld();
});
afterEach(() => void vi.useRealTimers());

function send(url: string, init: RequestInit, tokens: Tokens = TOKENS): Promise<Response> {
  const app = createApp(() => ({ ports: world.ports(), tokens }));
  return Promise.resolve(app.fetch(new Request(url, init), {}, execution));
}

async function setup(query: string, { token = "admin-token", tokens = TOKENS } = {}) {
  const headers = { authorization: `Bearer ${token}` };
  const response = await send(`${ORIGIN}/v1/setup/litellm${query}`, { headers }, tokens);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** The env-file lines in the comments. */
function environmentIn(text: string): Record<string, string> {
  const lines = text.matchAll(/^# {3}([A-Z_]+)=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
}

/** Resolves references as LiteLLM does: only where the reference is the whole value. */
function resolved(value: unknown, environment: Record<string, string>): unknown {
  if (typeof value === "string" && value.startsWith("os.environ/")) return environment[value.slice(11)] ?? null;
  if (Array.isArray(value)) return value.map((item) => resolved(item, environment));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolved(item, environment)]));
}

/** The config as LiteLLM sees it, with the environment that it asks for. */
function asLiteLlmReads(text: string) {
  const environment = environmentIn(text);
  const config = resolved(parse(text), environment) as {
    general_settings: unknown;
    litellm_settings: { callbacks: string[] };
    callback_settings: Record<string, { endpoint: string; headers: Record<string, string> }>;
    guardrails: { litellm_params: { api_base: string; api_key: string } }[];
    environment_variables?: Record<string, string>;
  };
  const [callback = ""] = config.litellm_settings.callbacks;
  const settings = config.callback_settings[callback];
  if (settings === undefined) throw new Error("the callback has no settings");
  return { config, settings, environment: { ...environment, ...config.environment_variables } };
}

const ODD_TOKENS: Tokens = {
  ...TOKENS,
  webhookUrl: [`a/b c?d#e%f"g'h`],
  events: [`"a'b\\c#d:e{f}%`],
  guardrail: [`'a"b\\c: #d{e}`],
};

describe.each(["", "?secrets=env", "?secrets=inline"])("the config of /v1/setup/litellm%s", (query) => {
  it.each([
    ["the tokens of the deployment", TOKENS],
    ["tokens of odd characters", ODD_TOKENS],
  ])(
    "directs LiteLLM's alerts, call events and guardrail requests to endpoints that accept them, with %s",
    async (_, tokens) => {
      const { text } = await setup(query, { tokens });
      const { config, settings, environment } = asLiteLlmReads(text);
      const alert = { method: "POST", body: JSON.stringify(CAPTURES.threshold) };
      const webhook = await send(environment["WEBHOOK_URL"] ?? "", alert, tokens);
      expect([webhook.status, world.messages.length]).toEqual([200, 1]);

      const events = { method: "POST", headers: settings.headers, body: JSON.stringify(CAPTURES.events) };
      const accepted = await send(settings.endpoint, events, tokens);
      expect([accepted.status, world.messages.length]).toEqual([200, 2]);
      expect(world.messages).toMatchObject([{ kind: "webhook", auth: "url_token" }, { kind: "calls" }]);

      const { api_base: base, api_key: apiKey } = config.guardrails[0]?.litellm_params ?? {};
      const question = { method: "POST", headers: { "x-api-key": apiKey ?? "" }, body: JSON.stringify(aQuestion()) };
      const answer = await send(`${base}/beta/litellm_basic_guardrail_api`, question, tokens);
      expect([answer.status, await answer.json()]).toEqual([200, { action: "NONE" }]);
    },
  );

  it("uses the first token of each list, because the others are being rotated out", async () => {
    const { text } = await setup(query);
    expect(text).toContain("/v1/webhooks/litellm/url-token");
    expect(text).toContain("Bearer events-token");
    expect(text).toMatch(/\bguardrail-token/);
    expect(text).not.toContain("old-");
  });

  it("enables LiteLLM's alerts with a short TTL, and keeps prompts out", async () => {
    const { config, settings, environment } = asLiteLlmReads((await setup(query)).text);
    expect(config.general_settings).toEqual({
      alerting: ["slack", "webhook"],
      alert_types: ["budget_alerts"],
      alerting_args: { budget_alert_ttl: 60 },
    });
    expect(config.litellm_settings).toEqual({
      callbacks: ["bursar"],
      turn_off_message_logging: true,
      global_disable_no_log_param: true,
      budget_exceeded_status_code: 402,
    });
    expect(settings).toMatchObject({
      callback_type: "generic_api",
      event_types: ["llm_api_success", "llm_api_failure"],
      log_format: "json_array",
    });
    expect(environment["SLACK_WEBHOOK_URL"]).toBe(`${ORIGIN}/healthz`);
  });

  it.each([
    ["open", "fail_open", false],
    ["closed", "fail_closed", true],
  ] as const)(
    "asks before each call, with the deployment's fail policy: %s",
    async (policy, fallback, failsOnError) => {
      world.policy = { ...POLICY, defaultFailPolicy: policy };
      expect(asLiteLlmReads((await setup(query)).text).config.guardrails).toMatchObject([
        {
          guardrail_name: "bursar",
          litellm_params: {
            guardrail: "generic_guardrail_api",
            mode: "pre_call",
            default_on: true,
            unreachable_fallback: fallback,
            fail_on_error: failsOnError,
            timeout: 2,
            num_retries: 0,
          },
        },
      ]);
    },
  );

  it("answers YAML with no-store", async () => {
    const { status, headers } = await setup(query);
    expect(status).toBe(200);
    expect(headers.get("Content-Type")).toBe("text/yaml; charset=utf-8");
    expect(headers.get("Cache-Control")).toBe("no-store");
  });
});

it("works as pasted, and refers to the environment only on request", async () => {
  const byEnvironment = parse((await setup("?secrets=env")).text);
  expect(JSON.stringify(byEnvironment)).not.toMatch(/url-token|events-token|guardrail-token/);
  expect(byEnvironment.guardrails[0].litellm_params.api_key).toBe("os.environ/BURSAR_GUARDRAIL_TOKEN");
  expect(byEnvironment.callback_settings.bursar.headers).toEqual({
    Authorization: "os.environ/BURSAR_EVENTS_AUTHORIZATION",
  });
  const { text } = await setup("");
  expect(text).toBe((await setup("?secrets=inline")).text);
  expect(environmentIn(text)).toEqual({});
  expect(text).not.toContain("os.environ/");
});

it("accepts admin tokens only", async () => {
  const { status, text } = await setup("", { token: "read-token" });
  expect(status).toBe(403);
  expect(text).not.toMatch(/url-token|events-token|guardrail-token/);
});

it("answers 422 naming secrets for an unknown value", async () => {
  const { status, text } = await setup("?secrets=none");
  expect([status, JSON.parse(text).errors]).toMatchObject([422, [{ field: "secrets" }]]);
});

it("logs no secret", async () => {
  await setup("?secrets=inline");
  expect(JSON.stringify(world.log.lines)).not.toMatch(/url-token|events-token|guardrail-token/);
});
