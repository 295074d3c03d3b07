// What a real LiteLLM sends on its own, with Bursar's configuration pasted and nothing else, reaches the tenant.

import { describe, expect, it } from "vitest";
import { eventually } from "../e2e/support/api.ts";
import { api, chat, DIRECT, LEARNED_MS, newTenant, pause, relayedSince, report, spend } from "./support/product.ts";

/** LiteLLM sends a batch every five seconds. */
const FLUSHED_MS = 15_000;

const auditOf = async (tenantId: string) => (await api.admin("GET", `/v1/audit?tenant_id=${tenantId}`)).body.data;

const tenantOf = async (tenantId: string) => (await api.admin("GET", `/v1/tenants/${tenantId}`)).body;

describe.concurrent("a tenant whose agents call LiteLLM directly", () => {
  it("reaches Bursar through the token webhook once LiteLLM alerts", async () => {
    const { tenantId, key } = await newTenant({ max_budget: 0.5 });
    await spend(DIRECT, key, 2);
    const line = await eventually(async () => {
      // LiteLLM alerts at the key's next call.
      await chat(DIRECT, key);
      await pause(2_000);
      return (await auditOf(tenantId)).find(({ action }: { action: string }) => action === "webhook_received") ?? null;
    }, LEARNED_MS);
    expect(line.detail).toMatchObject({ event_group: "key", auth: "url_token" });
    report(`the first alert was ${line.detail.event}`);
  });

  it("has its spend learned from the call events, without any question to Bursar", async () => {
    const { tenantId, key } = await newTenant({ max_budget: 100 });
    const begunAt = Date.now();
    // LiteLLM drops an event that comes while it sends the batch before: then only the next call tells of both.
    let spentAt = 0;
    await eventually(async () => {
      if (Date.now() - spentAt > FLUSHED_MS) {
        await spend(DIRECT, key, 1);
        spentAt = Date.now();
      }
      await pause(500);
      return (await tenantOf(tenantId)).spend > 0.27;
    }, LEARNED_MS);
    report(`the admin API knew of a call after ${((Date.now() - spentAt) / 1_000).toFixed(1)} s`);
    const batches = (await relayedSince(begunAt)).filter(({ path }) => path === "/v1/events/litellm");
    expect(batches.length).toBeGreaterThan(0);
  });
});
