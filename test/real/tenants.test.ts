// The life of a tenant beside a real LiteLLM: created, spending, suspended, reset, deleted.

import { describe, expect, it } from "vitest";
import type { InboxMessage } from "../../dev/inbox/message.ts";
import { eventually } from "../e2e/support/api.ts";
import {
  api,
  COST,
  chat,
  DIRECT,
  deleteTenant,
  eventTypesOf,
  keyRow,
  LEARNED_MS,
  newTenant,
  noticesOf,
  openSlackChannel,
  pause,
  spend,
  spendsAtLeast,
  sweep,
  untilAsked,
  untilSynced,
} from "./support/product.ts";
import { behaviour } from "./support/version.ts";

const act = (name: string, tenantId: string) => api.admin("POST", `/v1/tenants/${tenantId}/${name}`);

const isReset = ({ kind, summary }: InboxMessage) => kind === "slack" && summary.includes("has started a new budget");

describe.concurrent("a tenant with a key of its own", () => {
  it("has a key in LiteLLM with the block threshold as its budget, and spends through the proxy until Ask knows it", async () => {
    const { tenantId, key } = await newTenant({ max_budget: 10 });
    expect(await keyRow(key)).toMatchObject({
      max_budget: 11,
      budget_duration: "30d",
      metadata: { tenant_id: tenantId },
    });
    await spend(DIRECT, key, 3);
    const { body } = await untilAsked(key, spendsAtLeast(3 * COST));
    expect(body).toMatchObject({ tenant_id: tenantId, allowed: true, state: "ok", reason: "within_budget", limit: 10 });
    expect(body.spend).toBeCloseTo(3 * COST, 9);
  });

  it("gets a 402 from Ask and a refusal from LiteLLM's own limit once it is over its block threshold", async () => {
    const { tenantId, key } = await newTenant({ max_budget: 0.5 });
    await spend(DIRECT, key, 2);
    const { body } = await untilAsked(key, ({ status }) => status === 402);
    expect(body.detail).toBe(
      `Budget exceeded for tenant ${tenantId}. Current: $0.56, Limit: $0.50. Contact admin to increase budget.`,
    );
    const refused = await chat(DIRECT, key);
    expect([refused.status, refused.body.error.type]).toEqual([behaviour.refusalStatus, "budget_exceeded"]);
  });

  it("stops at once in Bursar and in LiteLLM when suspended, until it is resumed", async () => {
    const { tenantId, key } = await newTenant({ max_budget: 10 });
    await spend(DIRECT, key, 1);
    expect((await act("suspend", tenantId)).body).toMatchObject({ state: "blocked" });
    // A notice that its end overtakes is superseded.
    await eventually(async () => (await eventTypesOf(tenantId)).includes("tenant.suspended"), 30_000);
    const refused = await api.ask(key);
    expect([refused.status, refused.body.reason]).toEqual([403, "suspended"]);
    await untilSynced(tenantId);
    expect((await chat(DIRECT, key)).status).toBe(401);

    expect((await act("resume", tenantId)).body).toMatchObject({ state: "ok" });
    await untilSynced(tenantId);
    expect([(await api.ask(key)).status, (await chat(DIRECT, key)).status]).toEqual([200, 200]);
    await eventually(async () => (await eventTypesOf(tenantId)).includes("tenant.resumed"), 30_000);
  });

  it("begins a new period when it is reset, in LiteLLM's memory too except in 1.83", async () => {
    const { tenantId, key } = await newTenant({ max_budget: 0.5 });
    await spend(DIRECT, key, 2);
    await openSlackChannel(tenantId, ["budget_reset"]);
    await untilAsked(key, ({ status }) => status === 402);
    // LiteLLM adds to the new period what is still on its way to its database.
    await eventually(async () => (await keyRow(key)).spend >= 2 * COST - 1e-9, LEARNED_MS);
    const reset = await act("reset", tenantId);
    expect([reset.status, reset.body]).toMatchObject([200, { spend: 0, state: "ok" }]);
    expect((await api.ask(key)).body).toMatchObject({ allowed: true, spend: 0 });
    expect((await keyRow(key)).spend).toBe(0);
    const { status, body } = await chat(DIRECT, key);
    if (behaviour.resetsAtOnce) {
      expect(status).toBe(200);
      await untilAsked(key, spendsAtLeast(COST));
    } else expect([status, body.error.type]).toEqual([behaviour.refusalStatus, "budget_exceeded"]);
    await eventually(async () => (await noticesOf(tenantId)).some(isReset), 30_000);
  });

  it("loses its key in LiteLLM when it is deleted", async () => {
    const { tenantId, key } = await newTenant({ max_budget: 10 });
    expect((await chat(DIRECT, key)).status).toBe(200);
    await deleteTenant(tenantId);
    expect((await chat(DIRECT, key)).status).toBe(401);
    expect((await api.ask(key)).status).toBe(401);
  });
});

describe.concurrent("an override", () => {
  it("lets a blocked tenant spend at once, also in LiteLLM, and ends by itself at its instant", async () => {
    const { tenantId, key } = await newTenant({ max_budget: 0.5 });
    await spend(DIRECT, key, 2);
    await untilAsked(key, ({ status }) => status === 402);
    const expiresAt = Date.now() + 30_000;
    const body = { override_amount: 100, expires_at: new Date(expiresAt).toISOString(), reason: "launch week" };
    const granted = await api.admin("POST", `/v1/tenants/${tenantId}/overrides`, body, { "Idempotency-Key": tenantId });
    expect(granted).toMatchObject({ status: 201, body: { state: "active" } });
    expect(await api.ask(key)).toMatchObject({ status: 200, body: { limit: 100.5, override_amount: 100 } });
    await untilSynced(tenantId);
    expect((await keyRow(key)).max_budget).toBeCloseTo(110.55, 9);
    expect((await chat(DIRECT, key)).status).toBe(200);

    await pause(expiresAt - Date.now() + 50);
    expect((await api.ask(key)).status).toBe(402);
    await sweep();
    await eventually(async () => Math.abs((await keyRow(key)).max_budget - 0.55) < 1e-9, 90_000);
    await eventually(async () => (await eventTypesOf(tenantId)).includes("override.ended"), 30_000);
  });
});
