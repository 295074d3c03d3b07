// Gate before a real LiteLLM: every kind of call, whole and streamed, and the refusal of each.

import { beforeAll, describe, expect, it } from "vitest";
import { send } from "../e2e/support/api.ts";
import {
  COST,
  chat,
  GATE,
  keyRow,
  newTenant,
  pause,
  report,
  spend,
  spendsAtLeast,
  untilAsked,
} from "./support/product.ts";

const SAID = [{ role: "user", content: "hi" }];
const CHAT = { model: "chat", max_tokens: 20, messages: SAID };
const RESPONSES = { model: "chat", max_output_tokens: 20, input: "hi" };
const GENERATE = { contents: [{ role: "user", parts: [{ text: "hi" }] }], generationConfig: { maxOutputTokens: 20 } };

type Call = readonly [name: string, path: string, body: object];

const WHOLE: readonly Call[] = [
  ["chat", "/v1/chat/completions", CHAT],
  ["messages", "/v1/messages", CHAT],
  ["responses", "/v1/responses", RESPONSES],
  ["generateContent", "/v1beta/models/chat:generateContent", GENERATE],
];
const STREAMED: readonly Call[] = [
  ["chat", "/v1/chat/completions", { ...CHAT, stream: true }],
  ["messages", "/v1/messages", { ...CHAT, stream: true }],
  ["responses", "/v1/responses", { ...RESPONSES, stream: true }],
  ["generateContent", "/v1beta/models/chat:streamGenerateContent?alt=sse", GENERATE],
];
const EMBEDDING: Call = ["embeddings", "/v1/embeddings", { model: "embedding", input: "hi" }];

/** LiteLLM's database has every call by then. */
const WRITTEN_MS = 30_000;

/** The raw text of an answer, which may be a stream. */
async function call(key: string, path: string, body: object) {
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
  const response = await fetch(GATE + path, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe("calls of tenants within their budgets, through Gate", () => {
  const tenants: { name: string; key: string }[] = [];

  async function callOfNewTenant(name: string, path: string, body: object) {
    const { key } = await newTenant({ max_budget: 100 });
    tenants.push({ name, key });
    return call(key, path, body);
  }

  it.each(WHOLE)("answers %s", async (name, path, body) => {
    const { status, text } = await callOfNewTenant(name, path, body);
    expect([status, text]).toEqual([200, expect.stringContaining("hello")]);
  });

  it.each(STREAMED)("streams %s", async (name, path, body) => {
    const { status, headers, text } = await callOfNewTenant(`streamed ${name}`, path, body);
    expect([status, text]).toEqual([200, expect.stringMatching(/"(?:hel|hello)"/)]);
    expect(headers.get("Content-Type")).toContain("text/event-stream");
  });

  it("creates embeddings", async () => {
    const { status, text } = await callOfNewTenant(...EMBEDDING);
    expect([status, JSON.parse(text).data[0].embedding]).toEqual([200, [0.5, -0.25, 0.125]]);
  });

  it("has each of these calls counted as LiteLLM counts it", async () => {
    await pause(WRITTEN_MS);
    const counted = await Promise.all(
      tenants.map(async ({ name, key }) => {
        const { spend: wanted } = await keyRow(key);
        const { body } = await untilAsked(key, spendsAtLeast(wanted));
        return { name, wanted, spend: body.spend };
      }),
    );
    expect(counted).toHaveLength(WHOLE.length + STREAMED.length + 1);
    for (const { name, wanted, spend: known } of counted) {
      expect(known, name).toBeCloseTo(wanted, 9);
      if (Math.abs(wanted - COST) > 1e-9) report(`LiteLLM counts $${wanted} for ${name}, which costs $${COST}`);
    }
  });
});

describe("calls of a tenant over its block threshold, through Gate", () => {
  let tenantId: string;
  let key: string;
  beforeAll(async () => {
    ({ tenantId, key } = await newTenant({ max_budget: 0.5 }));
    await spend(GATE, key, 2);
    await untilAsked(key, ({ status }) => status === 402);
  }, 120_000);

  it.each([...WHOLE, ...STREAMED, EMBEDDING])("refuses %s (%s) with the words of the 402", async (_, path, body) => {
    const refused = await call(key, path, body);
    const detail = `Budget exceeded for tenant ${tenantId}. Current: $0.56, Limit: $0.50. Contact admin to increase budget.`;
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([402, { detail, reason: "over_grace" }]);
    const { error } = JSON.parse(refused.text);
    expect(error.message).toBe(detail);
  });
});

describe("a tenant between its limit and its block threshold", () => {
  it("learns beside each answer how much is left", async () => {
    const { key } = await newTenant({ max_budget: 0.8 });
    await spend(GATE, key, 3);
    await untilAsked(key, ({ body }) => body.state === "grace");
    const { status, headers } = await chat(GATE, key, { model: "free" });
    expect(status).toBe(200);
    expect([headers.get("X-Bursar-State"), Number(headers.get("X-Bursar-Remaining"))]).toEqual(["grace", 0]);
  });
});

it("lists the models of LiteLLM", async () => {
  const { key } = await newTenant();
  const { status, body } = await send("GET", `${GATE}/v1/models`, { token: key });
  expect([status, body.data.map(({ id }: { id: string }) => id)]).toEqual([200, expect.arrayContaining(["chat"])]);
});
