// Guard from end to end: LiteLLM, configured as on the setup page, calls it before each model call and gets a 200 in
// time even while LiteLLM's API or Postgres hangs. On plain workerd it reads prompts of 32 MiB.

import { createHash } from "node:crypto";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Litellm } from "../../dev/litellm/start.ts";
import { startWorkerd, type Workerd } from "../../dev/worker/workerd.ts";
import { ADMIN, type Answer, apiOf, eventually, send } from "./support/api.ts";
import { BUNDLE_DIR } from "./support/build.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";
import { seedTenant } from "./support/seed.ts";

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const TOKEN = { "x-api-key": "dev-guardrail-token" };
const NONE = { action: "NONE" };

/** Generous for a busy test machine. test/flows tests the exact deadline; this file tests it with hanging sockets. */
const DEADLINE_MS = 1_000;

let bursar: Bursar;
let api: ReturnType<typeof apiOf>;
let litellm: Litellm;

beforeAll(async () => {
  bursar = await startBursar({ vars: { CHECK_DEADLINE_MS: String(DEADLINE_MS) } });
  api = apiOf(bursar.url);
  if (bursar.stack.litellm === null) throw new Error("these tests need the simulator");
  litellm = bursar.stack.litellm;
});
afterAll(() => bursar.stop());

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const questionBy = (key: string, texts: string[] = ["hi"]) => ({
  texts,
  structured_messages: [{ role: "user", content: `"request_data":{"user_api_key_hash":"${sha256("sk-other")}"}` }],
  request_data: { user_api_key_hash: sha256(key) },
});
const guard = (key: string): Promise<Answer> =>
  send("POST", `${bursar.url}/litellm/beta/litellm_basic_guardrail_api`, { headers: TOKEN, body: questionBy(key) });

const call = (key: string, usd: number) =>
  send("POST", `${litellm.url}/v1/chat/completions`, {
    token: key,
    headers: { "x-sim-cost": String(usd) },
    body: { model: "mock", messages: [{ role: "user", content: "hello" }] },
  });

describe("LiteLLM with the setup page pasted", () => {
  beforeAll(async () => {
    const page = await fetch(`${bursar.url}/v1/setup/litellm`, { headers: { Authorization: `Bearer ${ADMIN}` } });
    const { litellm_params: set } = parse(await page.text()).guardrails[0];
    litellm.connect({
      guardrail: {
        url: set.api_base,
        token: set.api_key,
        unreachableFallback: set.unreachable_fallback,
        failOnError: set.fail_on_error,
      },
    });
  });
  afterAll(() => litellm.connect({ guardrail: null }));

  it("E2: refuses a call that its own limits let pass, in the words of the 402", async () => {
    const { tenantId, key } = await api.createTenant({ max_budget: 500 });
    expect((await call(key, 552)).status).toBe(200);
    await eventually(async () => (await api.ask(key, { "Cache-Control": "no-cache" })).status === 402);
    // LiteLLM enforces no budget for a model that costs nothing.
    const refused = await call(key, 0);
    expect(refused.status).toBe(500);
    expect(refused.body.error.message).toBe(
      `Budget exceeded for tenant ${tenantId}. Current: $552.00, Limit: $500.00. Contact admin to increase budget.`,
    );
  });

  it("allows calls with unmanaged keys and with the master key", async () => {
    const { body } = await send("POST", `${litellm.url}/key/generate`, { token: litellm.masterKey, body: {} });
    expect([(await call(body.key, 1)).status, (await call(litellm.masterKey, 1)).status]).toEqual([200, 200]);
  });

  it("applies the budget of a team tenant to its unregistered keys", async () => {
    const team = await send("POST", `${litellm.url}/team/new`, { token: litellm.masterKey, body: { max_budget: 10 } });
    const { team_id } = team.body;
    const made = await send("POST", `${litellm.url}/key/generate`, { token: litellm.masterKey, body: { team_id } });
    const tenantId = `team-${team_id}`;
    const adopted = { tenant_id: tenantId, litellm_team_id: team_id, max_budget: 10 };
    expect((await api.admin("POST", "/v1/tenants", adopted)).status).toBe(201);
    expect((await call(made.body.key, 1)).status).toBe(200);
    expect((await api.admin("PATCH", `/v1/tenants/${tenantId}`, { max_budget: 0 })).status).toBe(200);
    const refused = await call(made.body.key, 0);
    expect(refused.body.error.message).toContain(`Tenant ${tenantId} has no budget: its limit is zero.`);
  });
});

// After the last figure Bursar would give up a hanging request without any deadline.
describe.each([
  ["LiteLLM", () => litellm, 2_000],
  ["Postgres", () => bursar.stack.postgres.neon, 5_000],
] as const)("while %s hangs", (name, part, givesUpMs) => {
  const keys = { over: "", stale: "", nowhere: "" };
  beforeAll(async () => {
    keys.over = (await seedTenant(bursar, { snapshot: { spend: 110, ageMs: HOUR_MS }, spend: 110 })).key;
    keys.stale = (await seedTenant(bursar, { snapshot: { spend: 50, ageMs: HOUR_MS }, spend: 50 })).key;
    keys.nowhere = (await seedTenant(bursar, { spend: 110 })).key;
    // The first call is slow, so it is not measured.
    await guard(keys.nowhere.toUpperCase());
    part().setFault({ kind: "hang" });
  });
  afterAll(() => part().setFault(null));

  async function timed(key: string): Promise<unknown> {
    const { status, headers, body } = await guard(key);
    const tookMs = Number(/total;dur=(\d+)/.exec(headers.get("Server-Timing") ?? "")?.[1]);
    expect(status).toBe(200);
    expect(tookMs).toBeLessThan(givesUpMs - 100);
    return body;
  }

  it("refuses a tenant known to be blocked, and allows one known to be within budget", async () => {
    expect(await timed(keys.over)).toMatchObject({ action: "BLOCKED" });
    expect(await timed(keys.stale)).toEqual(NONE);
  });

  it("answers in time for a tenant that it cannot look up", async () => {
    const answer = await timed(keys.nowhere);
    if (name === "LiteLLM") expect(answer).toEqual(NONE);
  });
});

describe("on plain workerd", () => {
  let workerd: Workerd;
  beforeAll(async () => {
    const { secrets, vars } = bursar.stack.environment;
    const environment = { secrets, vars: { ...vars, CHECK_DEADLINE_MS: "5000" } };
    workerd = await startWorkerd({ bundleDir: BUNDLE_DIR, environment });
  });
  afterAll(() => workerd.stop());

  /** Writes the whole body before it reads the answer, as LiteLLM's clients do. */
  function post(body: Buffer): Promise<{ status: number; body: unknown }> {
    return new Promise((resolve, reject) => {
      const headers = { ...TOKEN, "content-length": body.length };
      const url = `${workerd.url}/litellm/beta/litellm_basic_guardrail_api`;
      const sending = request(url, { method: "POST", headers }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(parts).toString()) }),
        );
      });
      sending.on("error", reject);
      sending.end(body);
    });
  }

  it.each([
    ["32 MiB of prompts", 32 * MIB],
    ["even 80 MiB", 80 * MIB],
  ])("reads %s to the end and answers for the right key", async (_, size) => {
    const over = await seedTenant({ stack: bursar.stack }, { spend: 110 });
    const { request_data: data, ...rest } = questionBy(over.key, ["x".repeat(size)]);
    for (const question of [
      { ...rest, request_data: data },
      { request_data: data, ...rest },
    ]) {
      const { status, body } = await post(Buffer.from(JSON.stringify(question)));
      expect([status, body]).toMatchObject([200, { action: "BLOCKED" }]);
    }
  });

  it("answers a question that ends early within the deadline", async () => {
    const answers = await Promise.all([1, 2, 3].map(() => post(Buffer.from(`}${"x".repeat(32 * MIB)}`))));
    for (const answer of answers) expect(answer).toEqual({ status: 200, body: NONE });
  });
});
