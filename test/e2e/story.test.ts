// The budget story end to end over HTTP with real parts: LiteLLM's reports become alerts, and people get each once.

import { createHmac } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ADMIN, eventually, send } from "./support/api.ts";
import { useBursarWithInbox } from "./support/bursar-with-inbox.ts";

const setup = useBursarWithInbox();

/** A relay signs LiteLLM's alerts and forwards them. Nothing else reports spend, unless a test says so. */
beforeEach(() => {
  const relay = { scheme: "x-litellm-signature", secret: "dev-webhook-secret" } as const;
  const webhook = { url: `${setup.bursar.url}/v1/webhooks/litellm`, budgetAlertTtlMs: 0, relay };
  setup.litellm.connect({ webhook, events: null, guardrail: null });
});

const call = (key: string, usd: number) =>
  send("POST", `${setup.litellm.url}/v1/chat/completions`, {
    token: key,
    headers: { "x-sim-cost": String(usd) },
    body: { model: "mock", messages: [{ role: "user", content: "hello" }] },
  });

/** The notices that have arrived about a tenant. */
const noticesOf = (tenantId: string) => setup.bursar.stack.inbox.messages({ tenant: tenantId, accepted: true });

const untilAnnounced = (tenantId: string, times: number) =>
  eventually(async () => {
    const notices = noticesOf(tenantId);
    const counts = ["slack", "email", "webhook"].map((kind) => notices.filter((each) => each.kind === kind).length);
    return counts.every((count) => count >= times) && counts;
  });

const alertsOf = async (tenantId: string) => (await setup.api.admin("GET", `/v1/tenants/${tenantId}/alerts`)).body.data;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Longer than the batch timeouts of both queues, so that a notice that must not be sent would have arrived. */
const SETTLED_MS = 4_000;

it("E1: a tenant is created, gets a key, spends 80 percent, LiteLLM's webhook comes, the notice is sent, the alert stored", async () => {
  const { tenantId, key } = await setup.api.createTenant({ max_budget: 5 });
  expect((await call(key, 4.1)).status).toBe(200);
  // LiteLLM sends the alert with the next call.
  expect((await call(key, 0.01)).status).toBe(200);
  expect(await untilAnnounced(tenantId, 1)).toEqual([1, 1, 1]);

  const [alert] = await alertsOf(tenantId);
  expect(alert).toMatchObject({ event_type: "threshold_crossed", threshold: 80, limit: 5, silent: false });
  const statuses = async () => (await alertsOf(tenantId))[0].deliveries.map(({ status }: { status: string }) => status);
  await eventually(async () => (await statuses()).every((status: string) => status === "sent"));
  expect(await statuses()).toEqual(["sent", "sent", "sent"]);

  const webhook = noticesOf(tenantId).find(({ kind }) => kind === "webhook");
  expect(webhook).toMatchObject({ signature: "valid", summary: "budget.threshold_crossed" });
  const actions = (await setup.api.admin("GET", `/v1/audit?tenant_id=${tenantId}`)).body.data.map(
    ({ action }: { action: string }) => action,
  );
  expect(actions).toEqual(expect.arrayContaining(["tenant_created", "webhook_received", "alert_recorded"]));
});

it("E2: the agent of a tenant at 110 percent gets 402 Payment Required, and a notice says that it is blocked", async () => {
  const { tenantId, key } = await setup.api.createTenant({ max_budget: 500 });
  await call(key, 552);
  await call(key, 0);
  const refused = await eventually(async () => {
    const answer = await setup.api.ask(key, { "Cache-Control": "no-cache" });
    return answer.status === 402 && answer;
  });
  expect(refused.body).toMatchObject({ type: "urn:bursar:problem:budget-exceeded", state: "blocked", spend: 552 });
  expect(refused.body.detail).toBe(
    `Budget exceeded for tenant ${tenantId}. Current: $552.00, Limit: $500.00. Contact admin to increase budget.`,
  );
  // LiteLLM sends the alert when it refuses the next call.
  await call(key, 1);
  await untilAnnounced(tenantId, 1);
  expect(noticesOf(tenantId).map(({ summary }) => summary)).toContain("budget.blocked");
});

it("E3: a tenant at 105 percent is allowed, and its spend goes on being tracked", async () => {
  const { tenantId, key } = await setup.api.createTenant({ max_budget: 100 });
  await call(key, 105);
  expect((await call(key, 1)).status).toBe(200);
  await untilAnnounced(tenantId, 1);
  expect((await alertsOf(tenantId)).map(({ event_type: event, silent }: never) => [event, silent])).toContainEqual([
    "budget_crossed",
    false,
  ]);
  const asked = await eventually(async () => {
    const answer = await setup.api.ask(key, { "Cache-Control": "no-cache" });
    return answer.body.spend === 106 && answer;
  });
  expect(asked).toMatchObject({ status: 200, body: { state: "grace", allowed: true } });
});

describe("E4: a webhook with a wrong signature", () => {
  it("gets 401, and no alert is stored", async () => {
    const { tenantId, key } = await setup.api.createTenant({ max_budget: 100 });
    const { subject } = (await setup.api.admin("GET", `/v1/tenants/${tenantId}`)).body;
    const body = JSON.stringify({ event: "budget_crossed", event_group: "key", token: subject.id, spend: 120 });
    const post = (signature: string) =>
      send("POST", `${setup.bursar.url}/v1/webhooks/litellm`, { body, headers: { "X-LiteLLM-Signature": signature } });
    const hmac = (secret: string) => `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
    expect((await post(hmac("not-the-secret"))).status).toBe(401);
    await pause(SETTLED_MS);
    expect(await alertsOf(tenantId)).toEqual([]);
    expect((await setup.api.ask(key, { "Cache-Control": "no-cache" })).status).toBe(200);
    // The same body is accepted with the right signature. It causes a read, and LiteLLM shows no spend.
    expect((await post(hmac("dev-webhook-secret"))).status).toBe(200);
    const audit = async () => JSON.stringify((await setup.api.admin("GET", `/v1/audit?tenant_id=${tenantId}`)).body);
    await eventually(async () => (await audit()).includes("webhook_received"));
    await pause(SETTLED_MS);
    expect(await alertsOf(tenantId)).toEqual([]);
  });
});

it("E5: two 80 percent alerts within the hour are one notice on each channel", async () => {
  const { tenantId, key } = await setup.api.createTenant({ max_budget: 50 });
  await call(key, 41);
  await call(key, 0.1);
  await untilAnnounced(tenantId, 1);
  await call(key, 0.1);
  await call(key, 0.1);
  await pause(SETTLED_MS);
  const sent = setup.litellm.sent().filter(({ kind }) => kind === "webhook");
  expect(sent.length).toBeGreaterThan(2);
  expect(await untilAnnounced(tenantId, 1)).toEqual([1, 1, 1]);
  expect(await alertsOf(tenantId)).toHaveLength(1);
});

it("E6: agents keep working and notices are sent while LiteLLM's API and Redis fail", async () => {
  const { tenantId, key } = await setup.api.createTenant({ max_budget: 20 });
  await call(key, 1);
  const { subject } = (await setup.api.admin("GET", `/v1/tenants/${tenantId}`)).body;
  setup.litellm.setFault({ kind: "error", status: 500 });
  setup.bursar.stack.upstash.setFault({ kind: "hang" });
  try {
    expect((await setup.api.ask(key)).status).toBe(200);
    // LiteLLM cannot be read, so its callback tells the spend. The call ends late enough that no read contains it.
    const endTime = Date.now() / 1_000 + 5;
    const call = { id: "chatcmpl-e6", status: "success", startTime: endTime - 1, endTime, response_cost: 17 };
    const body = JSON.stringify([{ ...call, metadata: { user_api_key_hash: subject.id } }]);
    const headers = { Authorization: "Bearer dev-events-token" };
    expect((await send("POST", `${setup.bursar.url}/v1/events/litellm`, { body, headers })).status).toBe(200);
    await untilAnnounced(tenantId, 1);
    expect((await setup.api.ask(key)).body).toMatchObject({ allowed: true, state: "warning", spend: 17 });
  } finally {
    setup.litellm.setFault(null);
    setup.bursar.stack.upstash.setFault(null);
  }
  // Until then the breaker may keep Bursar from LiteLLM in the next test.
  await eventually(async () => (await setup.api.ask(key, { "Cache-Control": "no-cache" })).body.source === "litellm");
});

/** Configures the simulator with the settings of the setup page, unchanged. */
async function pasteSetup(): Promise<void> {
  const page = await fetch(`${setup.bursar.url}/v1/setup/litellm`, { headers: { Authorization: `Bearer ${ADMIN}` } });
  const config = parse(await page.text());
  const { endpoint, headers } = config.callback_settings[config.litellm_settings.callbacks[0]];
  const { litellm_params: guardrail } = config.guardrails[0];
  expect(config.general_settings.alerting).toEqual(["slack", "webhook"]);
  setup.litellm.connect({
    webhook: {
      url: config.environment_variables.WEBHOOK_URL,
      budgetAlertTtlMs: config.general_settings.alerting_args.budget_alert_ttl * 1_000,
    },
    events: { url: endpoint, token: headers.Authorization.replace("Bearer ", ""), flushEveryMs: 200 },
    guardrail: { url: guardrail.api_base, token: guardrail.api_key },
  });
}

it("announces each crossing once for a stock LiteLLM with the setup page pasted", async () => {
  await pasteSetup();
  const { tenantId, key } = await setup.api.createTenant({ max_budget: 10 });
  await call(key, 8.5);
  expect(await untilAnnounced(tenantId, 1)).toEqual([1, 1, 1]);
  await call(key, 2);
  expect(await untilAnnounced(tenantId, 2)).toEqual([2, 2, 2]);
  await call(key, 0.5);
  await call(key, 0.1);
  expect(await untilAnnounced(tenantId, 3)).toEqual([3, 3, 3]);
  const raised = await setup.api.admin("PATCH", `/v1/tenants/${tenantId}`, { max_budget: 30 });
  expect(raised.status).toBe(200);
  await untilAnnounced(tenantId, 4);
  await pause(SETTLED_MS);
  const types = noticesOf(tenantId).filter(({ kind }) => kind === "webhook");
  expect(types.map(({ summary }) => summary).toReversed()).toEqual([
    "budget.threshold_crossed",
    "budget.crossed",
    "budget.blocked",
    "budget.resolved",
  ]);
});
