// The Generic Guardrail API: LiteLLM's request before a call, and the effect of the answer on the call.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { GuardrailReceiver } from "../../dev/litellm/outgoing/receivers.ts";
import { type Litellm, startLitellm } from "../../dev/litellm/start.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { type Client, captured, clientOf, hashOf, typedShapeOf } from "./support.ts";

let litellm: Litellm;
let client: Client;
let receiver: Receiver;

beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await litellm.stop();
  await receiver.stop();
});

async function start(profile: "1.81" | "1.103", guardrail: Partial<GuardrailReceiver> = {}) {
  const asked = { url: receiver.url, token: "guard-secret", ...guardrail };
  litellm = await startLitellm({ callMs: 0, databaseDelayMs: 0, profile, guardrail: asked });
  client = clientOf(litellm);
}
const answer = (verdict: unknown) => ({ body: JSON.stringify(verdict) });

describe("the question", () => {
  it("has exactly the captured fields, in their order and of their types", async () => {
    await start("1.81");
    const key = await client.newKey({ key_alias: "acme-agent2" });
    const { headers } = await client.chat(key);
    const [{ json } = { json: null }] = receiver.received;
    expect(typedShapeOf(json)).toEqual(typedShapeOf(captured("guardrail-request")));
    expect(json.request_data).toEqual({ user_api_key_hash: hashOf(key), user_api_key_alias: "acme-agent2" });
    expect(json.litellm_call_id).toBe(headers.get("x-litellm-call-id"));
  });

  it("comes with x-api-key, under LiteLLM's path, whether or not the address has it already", async () => {
    await start("1.81", { url: `${receiver.url}/litellm/` });
    const key = await client.newKey();
    await client.chat(key);
    const path = "/litellm/beta/litellm_basic_guardrail_api";
    litellm.connect({ guardrail: { url: receiver.url + path, token: "guard-secret" } });
    await client.chat(key);
    expect(receiver.received.map((one) => one.path)).toEqual([path, path]);
    expect(receiver.received[0]?.headers).toMatchObject({
      "x-api-key": "guard-secret",
      "user-agent": "litellm/1.81.9",
    });
    expect(litellm.sent()).toMatchObject([1, 2].map(() => ({ kind: "guardrail", keyHash: hashOf(key), status: 200 })));
  });

  it("has all texts, images and tools, the team and the end user", async () => {
    await start("1.81");
    const { team_id } = (await client.call("POST", "/team/new", { team_alias: "red" })).body;
    const image = { type: "image_url", image_url: { url: "https://pictures.example/1" } };
    const messages = [
      { role: "system", content: "be brief" },
      { role: "user", content: [{ type: "text", text: "look" }, image] },
    ];
    const tools = [{ type: "function", function: { name: "look_up" } }];
    await client.chat(await client.newKey({ team_id }), { body: { messages, tools, user: "customer-7" } });
    expect(receiver.received[0]?.json).toMatchObject({
      structured_messages: messages,
      texts: ["be brief", "look"],
      images: ["https://pictures.example/1"],
      tools,
      request_data: {
        user_api_key_team_id: team_id,
        user_api_key_team_alias: "red",
        user_api_key_end_user_id: "customer-7",
      },
    });
  });

  it("asks no guardrail about a call that its key or its budget forbids", async () => {
    await start("1.81");
    await client.chat(await client.newKey({ max_budget: 0 }));
    await client.chat("sk-unknown");
    expect(receiver.received).toEqual([]);
  });
});

describe("the answer", () => {
  it.each([
    ["1.81", 500, { type: "None", param: "None" }],
    ["1.103", 400, { type: "invalid_request_error", param: null }],
  ] as const)(
    "BLOCKED refuses the call in %s with %d and the reason; it costs nothing",
    async (profile, status, type) => {
      await start(profile);
      receiver.answer = () => answer({ action: "BLOCKED", blocked_reason: "over 110 %" });
      const key = await client.newKey();
      const refused = await client.chat(key, { cost: 1 });
      const error = { message: "over 110 %", ...type, code: String(status) };
      expect([refused.status, refused.body]).toEqual([status, { error }]);
      expect((await client.info(key)).spend).toBe(0);
    },
  );

  it.each([{ action: "NONE" }, {}])("%j lets the call go on", async (verdict) => {
    await start("1.81");
    receiver.answer = () => answer(verdict);
    expect((await client.chat(await client.newKey())).status).toBe(200);
  });

  it("waits for the guardrail before it calls the model", async () => {
    await start("1.81");
    receiver.answer = () => new Promise((resolve) => setTimeout(resolve, 100, answer({ action: "NONE" })));
    const begunAt = performance.now();
    await client.chat(await client.newKey());
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(99);
  });
});

const UNREACHABLE = "http://127.0.0.1:1";
const LENIENT = { failOnError: false, unreachableFallback: "fail_open" } as const;

describe("a guardrail that fails", () => {
  it("fails the call with 500 in 1.81, whatever is configured", async () => {
    await start("1.81", LENIENT);
    receiver.answer = () => ({ status: 402 });
    const { status, body } = await client.chat(await client.newKey());
    expect([status, body.error.type, body.error.code]).toEqual([500, "None", "500"]);
    expect(body.error.message).toContain("Generic Guardrail API failed: Client error '402 Payment Required' for url");
  });

  const openWhenUnreachable = { unreachableFallback: "fail_open" } as const;
  const failures: [string, Partial<GuardrailReceiver>, ReturnType<Receiver["answer"]>, number][] = [
    ["nobody there", { url: UNREACHABLE }, {}, 500],
    ["nobody there", { url: UNREACHABLE, ...openWhenUnreachable }, {}, 200],
    ["503", openWhenUnreachable, { status: 503 }, 200],
    ["500", openWhenUnreachable, { status: 500 }, 500],
    ["no JSON", openWhenUnreachable, { body: "<html>" }, 500],
    ["500", { failOnError: false }, { status: 500 }, 200],
    ["no JSON", { failOnError: false }, { body: "<html>" }, 200],
    ["no answer in time", { timeoutMs: 50 }, null, 500],
    ["no answer in time", { timeoutMs: 50, ...openWhenUnreachable }, null, 200],
  ];
  it.each(failures)(
    "a guardrail failing by %s and set to %j makes 1.103 answer as set: %#",
    async (_, set, given, status) => {
      await start("1.103", set);
      receiver.answer = () => given;
      expect((await client.chat(await client.newKey())).status).toBe(status);
    },
  );
});
