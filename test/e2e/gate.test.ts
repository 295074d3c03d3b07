// Gate from end to end with OpenAI's SDK. Only its base URL is changed.

import OpenAI, { APIError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiOf, eventually } from "./support/api.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";

let bursar: Bursar;
let api: ReturnType<typeof apiOf>;

beforeAll(async () => {
  bursar = await startBursar();
  api = apiOf(bursar.url);
});
afterAll(() => bursar.stop());

const CHAT = { model: "mock", messages: [{ role: "user", content: "hello" }] } as const;
const asParams = () => structuredClone(CHAT) as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming;

/** Records the status of every response that the SDK received; `onStatus` runs before the SDK sees it. */
function sdkOf(key: string, onStatus = (_status: number): void => {}) {
  const statuses: number[] = [];
  const client = new OpenAI({
    apiKey: key,
    baseURL: `${bursar.url}/llm/v1`,
    async fetch(url, init) {
      const response = await fetch(url, init);
      statuses.push(response.status);
      onStatus(response.status);
      return response;
    },
  });
  return { client, statuses };
}

const costing = (usd: number) => ({ headers: { "x-sim-cost": String(usd) } });

async function refusalOf(call: PromiseLike<unknown>): Promise<InstanceType<typeof APIError>> {
  const error = await Promise.resolve(call).then(
    () => null,
    (cause: unknown) => cause,
  );
  if (error instanceof APIError) return error;
  throw new Error(`no APIError: ${error}`);
}

describe("OpenAI's SDK, pointed at Gate", () => {
  it("completes a chat", async () => {
    const { key } = await api.createTenant();
    const answer = await sdkOf(key).client.chat.completions.create(asParams());
    expect(answer.choices[0]?.message.content).toBe("hello");
  });

  it("streams a chat", async () => {
    const { key } = await api.createTenant();
    const stream = await sdkOf(key).client.chat.completions.create({ ...asParams(), stream: true });
    const pieces: string[] = [];
    for await (const chunk of stream) pieces.push(chunk.choices[0]?.delta.content ?? "");
    expect(pieces.join("")).toBe("hello");
    expect(pieces.length).toBeGreaterThan(1);
  });

  it("creates an embedding", async () => {
    const { key } = await api.createTenant();
    const { data } = await sdkOf(key).client.embeddings.create({ model: "mock", input: "hello" });
    expect(data[0]?.embedding).toEqual([0.5, -0.25, 0.125]);
  });

  it("lists models", async () => {
    const { key } = await api.createTenant();
    const models = await sdkOf(key).client.models.list();
    expect(models.data.map(({ id }) => id)).toEqual(["mock"]);
  });

  it("passes on LiteLLM's own words about a mistake", async () => {
    const { key } = await api.createTenant();
    const error = await refusalOf(sdkOf(key).client.chat.completions.create({ ...asParams(), model: 1 as never }));
    expect([error.status, error.message]).toEqual([400, expect.stringContaining("Invalid model name")]);
  });
});

describe("E2: a tenant that spends through Gate", () => {
  it("refuses in the same isolate right after the call that reached the block threshold: a 402 that the SDK shows, once", async () => {
    const { tenantId, key } = await api.createTenant({ max_budget: 5 });
    const { client, statuses } = sdkOf(key);
    await client.chat.completions.create(asParams(), costing(5.25));
    await client.chat.completions.create(asParams(), costing(0.25));
    const error = await refusalOf(client.chat.completions.create(asParams()));
    expect([error.status, error.type, error.code]).toEqual([402, "budget_exceeded", "over_grace"]);
    const detail = `Budget exceeded for tenant ${tenantId}. Current: $5.50, Limit: $5.00. Contact admin to increase budget.`;
    expect(error.message).toBe(`402 ${detail}`);
    expect(error.error).toMatchObject({ message: detail });
    expect(statuses).toEqual([200, 200, 402]);
  });

  it("alerts on spend that only Gate has seen", async () => {
    const { tenantId, key } = await api.createTenant({ max_budget: 5 });
    await sdkOf(key).client.chat.completions.create(asParams(), costing(4.25));
    const alerts = await eventually(async () => {
      const { body } = await api.admin("GET", `/v1/tenants/${tenantId}/alerts`);
      return body.data.length > 0 && body.data;
    });
    expect(alerts).toMatchObject([{ event_type: "threshold_crossed", spend: 4.25 }]);
  });

  it("turns LiteLLM's refusal into a 429 until Bursar has read the spend, then into a 402", async () => {
    const { tenantId, key } = await api.createTenant({ max_budget: 5 });
    expect((await api.ask(key)).body.spend).toBe(0);
    bursar.stack.litellm?.setSpend(key, 6);
    const client = sdkOf(key).client.withOptions({ maxRetries: 0 });
    const first = await refusalOf(client.chat.completions.create(asParams()));
    expect([first.status, first.type, first.code]).toEqual([429, "rate_limit_error", "litellm_refused"]);
    expect(first.message).not.toContain("Current cost");
    await eventually(async () => (await api.admin("GET", `/v1/tenants/${tenantId}`)).body.spend === 6);
    const refused = () => refusalOf(client.chat.completions.create(asParams()));
    await eventually(async () => (await refused()).type === "budget_exceeded");
  });
});

describe("a call that LiteLLM refuses for a reservation", () => {
  it("succeeds by the SDK's own retry, once the reservation has ended", async () => {
    const { key } = await api.createTenant({ max_budget: 100 });
    bursar.stack.litellm?.reserve(key, 491.76);
    const { client, statuses } = sdkOf(key, () => bursar.stack.litellm?.reserve(key, 0));
    const answer = await client.chat.completions.create(asParams());
    expect(answer.choices[0]?.message.content).toBe("hello");
    expect(statuses).toEqual([429, 200]);
  });

  it("answers Anthropic's envelope on the messages route, with nothing of LiteLLM's message", async () => {
    const { tenantId, key } = await api.createTenant({ max_budget: 100 });
    bursar.stack.litellm?.reserve(key, 491.76);
    const response = await fetch(`${bursar.url}/llm/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json" },
      body: JSON.stringify({ ...CHAT, max_tokens: 10 }),
    });
    const body = await response.text();
    expect([response.status, response.headers.get("Retry-After")]).toEqual([429, "1"]);
    expect(JSON.parse(body)).toMatchObject({
      type: "error",
      error: { type: "rate_limit_error", code: "litellm_refused" },
      tenant_id: tenantId,
      state: "ok",
      spend: 0,
      remaining: 100,
    });
    expect(body).not.toContain("491");
  });
});

describe("the key that Gate uses", () => {
  it("ignores a second key in another header", async () => {
    const [one, two] = [await api.createTenant({ max_budget: 5 }), await api.createTenant({ max_budget: 5 })];
    const headers = { "x-sim-cost": "1", "x-api-key": two.key, "api-key": two.key };
    await sdkOf(one.key).client.chat.completions.create(asParams(), { headers });
    const spendOf = async (tenantId: string) => (await api.check(tenantId, { "Cache-Control": "no-cache" })).body.spend;
    expect([await spendOf(one.tenantId), await spendOf(two.tenantId)]).toEqual([1, 0]);
  });

  it("forwards a call with an unmanaged key to LiteLLM", async () => {
    const error = await refusalOf(sdkOf("sk-nobody-has-this").client.models.list());
    expect([error.status, error.type]).toEqual([401, "token_not_found_in_db"]);
  });

  it("refuses management routes to the master key", async () => {
    const headers = { authorization: `Bearer ${bursar.stack.litellmMasterKey}` };
    for (const path of ["key/list", "v1/../key/list", "v1/models/..%2f..%2fkey%2flist", "key/info?key=x"]) {
      expect((await fetch(`${bursar.url}/llm/${path}`, { headers })).status).toBe(404);
    }
  });
});

it("forwards an error of LiteLLM unchanged", async () => {
  const { key } = await api.createTenant();
  bursar.stack.litellm?.setFault({ kind: "error", status: 502, path: "/chat/completions" });
  try {
    const client = sdkOf(key).client.withOptions({ maxRetries: 0 });
    const error = await refusalOf(client.chat.completions.create(asParams()));
    expect([error.status, error.message]).toEqual([502, expect.stringContaining("broken on purpose")]);
  } finally {
    bursar.stack.litellm?.setFault(null);
  }
});
