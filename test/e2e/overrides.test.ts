// An override end to end over HTTP with real parts: it allows requests at once, and ends by itself at its instant.

import { expect, it } from "vitest";
import { connect } from "../support/servers/postgres-backends.ts";
import { eventually, send } from "./support/api.ts";
import { useBursarWithInbox } from "./support/bursar-with-inbox.ts";

const setup = useBursarWithInbox();

/** Long enough to grant the override and check on a busy machine, short enough to wait for. */
const LASTS_MS = 10_000;
const FRESH = { "Cache-Control": "no-cache" };

const maxBudgetOf = async (key: string) => {
  const path = `${setup.litellm.url}/key/info?key=${key}`;
  return (await send("GET", path, { token: setup.litellm.masterKey })).body.info.max_budget;
};
const call = (key: string, usd = 0.01) =>
  send("POST", `${setup.litellm.url}/v1/chat/completions`, {
    token: key,
    headers: { "x-sim-cost": String(usd) },
    body: { model: "mock", messages: [{ role: "user", content: "hello" }] },
  });
const heardOf = (tenantId: string) =>
  setup.bursar.stack.inbox
    .messages({ tenant: tenantId, accepted: true })
    .filter(({ kind }) => kind === "webhook")
    .map(({ summary }) => summary);

/** All rows of Postgres that affect the tenant's verdict. */
async function written(tenantId: string) {
  const client = await connect(setup.bursar.stack.postgres.databaseUrl);
  try {
    const query = `select t.revision, t.updated_at, t.litellm_sync, o.* from tenant_configs t
      join budget_overrides o using (tenant_id) where t.tenant_id = $1`;
    return (await client.query(query, [tenantId])).rows;
  } finally {
    await client.end();
  }
}

it("R2: an override allows a blocked tenant at once, and ends at its instant without any write", async () => {
  const { tenantId, key } = await setup.api.createTenant({ max_budget: 100 });
  expect((await call(key, 115)).status).toBe(200);
  await eventually(async () => (await setup.api.ask(key, FRESH)).status === 402);
  expect((await call(key)).status).not.toBe(200);

  const expiresAt = Date.now() + LASTS_MS;
  const desired = { override_amount: 100, expires_at: new Date(expiresAt).toISOString(), reason: "launch week" };
  const granted = await setup.api.admin("POST", `/v1/tenants/${tenantId}/overrides`, desired, {
    "Idempotency-Key": tenantId,
  });
  expect(granted).toMatchObject({ status: 201, body: { state: "active", litellm_sync: "synced" } });
  const allowed = await setup.api.ask(key);
  expect(allowed).toMatchObject({ status: 200, body: { limit: 200, override_amount: 100, state: "ok" } });
  expect((await call(key)).status).toBe(200);
  expect(await maxBudgetOf(key)).toBe(220);
  const before = await written(tenantId);

  const answers: { sentAt: number; status: number; answeredAt: number }[] = [];
  while (answers.at(-1)?.status !== 402) {
    const sentAt = Date.now();
    if (sentAt > expiresAt + 30_000) throw new Error("it did not end");
    const { status } = await setup.api.ask(key);
    answers.push({ sentAt, status, answeredAt: Date.now() });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // A request that was sent before the end may be answered after it, with either status.
  const answeredRight = answers.every(({ sentAt, status, answeredAt }) =>
    status === 200 ? sentAt < expiresAt : status === 402 && answeredAt >= expiresAt,
  );
  expect(answeredRight, JSON.stringify({ expiresAt, answers })).toBe(true);
  expect(await written(tenantId)).toEqual(before);
  expect(await maxBudgetOf(key)).toBe(220);

  await setup.bursar.sweep();
  await eventually(async () => (await maxBudgetOf(key)) === 110);
  await eventually(async () => heardOf(tenantId).includes("override.ended"));
  expect(heardOf(tenantId).filter((each) => each.startsWith("override"))).toEqual([
    "override.ended",
    "override.granted",
  ]);
});

it("R2: revoking an override blocks the tenant at once, in LiteLLM too, and sends a notice", async () => {
  const { tenantId, key } = await setup.api.createTenant({ max_budget: 100 });
  setup.litellm.setSpend(key, 115);
  const desired = { override_amount: 100, duration: "1d", reason: "launch week" };
  const { id } = (await setup.api.admin("POST", `/v1/tenants/${tenantId}/overrides`, desired)).body;
  expect((await setup.api.ask(key, FRESH)).status).toBe(200);
  expect((await setup.api.admin("DELETE", `/v1/tenants/${tenantId}/overrides/${id}`)).status).toBe(204);
  expect((await setup.api.ask(key)).status).toBe(402);
  expect(await maxBudgetOf(key)).toBe(110);
  await eventually(async () => heardOf(tenantId).includes("override.ended"));
});
