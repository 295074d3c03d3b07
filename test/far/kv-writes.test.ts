// Writes to KV with stores far away: slow reads cause no writes of what is there already, and a write that KV refuses
// (one a second per key) costs no message a retry.

import { afterAll, beforeAll, expect, it } from "vitest";
import { apiOf, eventually, send } from "../e2e/support/api.ts";
import { type FarBursar, startFarBursar } from "../e2e/support/far-bursar.ts";
import { hashOf } from "./support/endpoints.ts";

let bursar: FarBursar;
let api: ReturnType<typeof apiOf>;
beforeAll(async () => {
  // Each of them over the time that a check gives KV.
  bursar = await startFarBursar({ distances: { kv: { hotMs: 60, coldMs: 60 } } });
  api = apiOf(bursar.url);
});
afterAll(() => bursar.stop());

const acceptedAndRefused = (key: string) => bursar.kv.writes().filter((write) => write.key === key);

it("writes a tenant's config at most once for twenty checks that find KV slow", async () => {
  const { tenantId, key } = await api.createTenant({ max_budget: 100 });
  await bursar.settled();
  bursar.kv.clearWrites();
  const checks = bursar.isolates.slice(1).flatMap(({ url }) => Array.from({ length: 10 }, () => apiOf(url).ask(key)));
  await Promise.all(checks);
  await bursar.settled();
  expect(acceptedAndRefused(`config:${tenantId}`).length).toBeLessThanOrEqual(1);
});

/** A finished call as LiteLLM's callback reports it. */
function finishedCall(key: string, index: number, usd: number) {
  const endTime = new Date();
  return {
    id: `call-${index}`,
    litellm_call_id: `call-${index}`,
    status: "success",
    response_cost: usd,
    startTime: new Date(endTime.getTime() - 1_000).getTime() / 1_000,
    endTime: endTime.getTime() / 1_000,
    metadata: { user_api_key_hash: hashOf(key), user_api_key_team_id: null },
  };
}

interface Backlog {
  readonly messages: number;
  readonly acked: number;
  readonly retried: number;
}

/** The spend queues of all isolates together. */
async function backlog(): Promise<Backlog> {
  const all: Backlog[] = await Promise.all(
    bursar.isolates.map(async ({ services }) => (await fetch(`${services["SPEND_QUEUE"]}/_backlog`)).json()),
  );
  const sum = (name: keyof Backlog) => all.reduce((total, each) => total + each[name], 0);
  return { messages: sum("messages"), acked: sum("acked"), retried: sum("retried") };
}

it("retries no message when three batches a second change the spend of one tenant", async () => {
  const { tenantId, key } = await api.createTenant({ max_budget: 100 });
  await bursar.settled();
  bursar.kv.clearWrites();
  const SECONDS = 8;
  const before = await backlog();
  for (let second = 0; second < SECONDS; second++) {
    for (const [index, { url }] of bursar.isolates.entries()) {
      // At least 1 % of the limit, which is worth a write each.
      const body = [finishedCall(key, second * 10 + index, 2)];
      const reported = await send("POST", `${url}/v1/events/litellm`, { token: "dev-events-token", body });
      expect(reported.status).toBe(200);
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  const sent = SECONDS * bursar.isolates.length;
  const after = await eventually(async () => {
    const now = await backlog();
    return now.messages === 0 && now.acked - before.acked >= sent && now;
  });
  expect(after.retried - before.retried).toBe(0);
  expect(acceptedAndRefused(`spend:${tenantId}`).length).toBeGreaterThan(0);
  expect((await api.admin("GET", `/v1/tenants/${tenantId}`)).body.spend).toBe(2 * sent);
});
