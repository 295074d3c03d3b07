// Suspend, resume and reset from end to end: the answers of Bursar and LiteLLM to an agent, and the notices.

import { describe, expect, it } from "vitest";
import { eventually, send } from "./support/api.ts";
import { useBursarWithInbox } from "./support/bursar-with-inbox.ts";

const setup = useBursarWithInbox();

const call = (key: string, usd = 0.01) =>
  send("POST", `${setup.litellm.url}/v1/chat/completions`, {
    token: key,
    headers: { "x-sim-cost": String(usd) },
    body: { model: "mock", messages: [{ role: "user", content: "hello" }] },
  });
const act = (name: string, tenantId: string) => setup.api.admin("POST", `/v1/tenants/${tenantId}/${name}`);

/** The types of the webhooks that have arrived about a tenant, first to last. */
const eventTypesOf = (tenantId: string) =>
  setup.bursar.stack.inbox
    .messages({ tenant: tenantId, accepted: true })
    .filter(({ kind }) => kind === "webhook")
    .map(({ summary }) => summary)
    .toReversed();
const untilAnnounced = (tenantId: string, types: string[]) =>
  eventually(async () => types.every((type) => eventTypesOf(tenantId).includes(type)));

describe("the kill switch", () => {
  it("makes Ask answer 403 and LiteLLM refuse the key at once, until the tenant is resumed", async () => {
    const { tenantId, key } = await setup.api.createTenant();
    expect([(await setup.api.ask(key)).status, (await call(key)).status]).toEqual([200, 200]);

    expect((await act("suspend", tenantId)).body).toMatchObject({ state: "blocked", litellm_sync: "synced" });
    const refused = await setup.api.ask(key);
    expect([refused.status, refused.body.type]).toEqual([403, "urn:bursar:problem:tenant-suspended"]);
    expect(refused.body).toMatchObject({ allowed: false, state: "blocked", reason: "suspended" });
    expect((await setup.api.check(tenantId)).status).toBe(403);
    const atLiteLlm = await call(key);
    expect([atLiteLlm.status, atLiteLlm.body.error.message]).toEqual([401, expect.stringContaining("Key is blocked")]);

    // A notice of the suspension that has not been sent by then is superseded.
    await untilAnnounced(tenantId, ["tenant.suspended"]);
    expect((await act("resume", tenantId)).body).toMatchObject({ state: "ok", suspended_at: null });
    expect([(await setup.api.ask(key)).status, (await call(key)).status]).toEqual([200, 200]);
    await untilAnnounced(tenantId, ["tenant.resumed"]);
  });

  it("suspends a tenant under observe", async () => {
    const { tenantId, key } = await setup.api.createTenant({ enforcement: "observe" });
    await act("suspend", tenantId);
    const refused = await setup.api.ask(key);
    expect([refused.status, refused.body.allowed, refused.body.would_block]).toEqual([403, false, true]);
    expect((await call(key)).status).toBe(401);
  });
});

/** The channels of the platform hear of no reset unless they ask for it. */
async function hearOfResets(tenantId: string): Promise<void> {
  const { inbox } = setup.bursar.stack;
  const url = `${inbox.url}/webhook/${tenantId}`;
  const channel = { kind: "webhook", name: "their own", tenant_id: tenantId, url, events: ["budget_reset"] };
  const { body } = await setup.api.admin("POST", "/v1/channels", channel);
  inbox.trust(tenantId, [body.signing_secret]);
}

describe("a new period", () => {
  it("a reset allows a blocked tenant right after a manual reset to $0", async () => {
    const { tenantId, key } = await setup.api.createTenant({ max_budget: 5 });
    await hearOfResets(tenantId);
    await call(key, 6);
    await eventually(async () => (await setup.api.ask(key, { "Cache-Control": "no-cache" })).status === 402);
    await untilAnnounced(tenantId, ["budget.blocked"]);

    expect((await act("reset", tenantId)).body).toMatchObject({ spend: 0, state: "ok" });
    expect((await setup.api.ask(key)).body).toMatchObject({ allowed: true, state: "ok", spend: 0 });
    expect((await call(key)).status).toBe(200);
    await untilAnnounced(tenantId, ["budget.reset", "budget.resolved"]);
    const actions = (await setup.api.admin("GET", `/v1/audit?tenant_id=${tenantId}`)).body.data;
    expect(actions.map(({ action }: { action: string }) => action)).toContain("period_reset");
  });

  it("R1: the sweep finds LiteLLM's own reset, audits and announces it once", async () => {
    // The period of one second is over one second later by LiteLLM's clock.
    const { tenantId, key } = await setup.api.createTenant({ max_budget: 5, budget_duration: "1s" });
    await hearOfResets(tenantId);
    await call(key, 1);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    setup.litellm.runResetJob();
    await setup.bursar.sweep();
    await untilAnnounced(tenantId, ["budget.reset"]);
    const { data } = (await setup.api.admin("GET", `/v1/audit?tenant_id=${tenantId}`)).body;
    expect(data.map(({ action }: { action: string }) => action)).toContain("period_advanced");
  });
});
