// A deleted tenant over HTTP: its history can be read, it can be restored once, and nothing else of it can be changed.

import { beforeEach, expect, it } from "vitest";
import { DAY, MINUTE, NOW } from "../../budget/builders.ts";
import { insertAlert } from "../../support/builders/alert-rows.ts";
import { useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, call, create } = useTenantsApi();
const iso = (instant: number) => new Date(instant).toISOString();
const DELETED = { deleted_at: iso(NOW), purge_at: iso(NOW + 90 * DAY) };
const restore = (key?: string) =>
  call("POST", "/v1/tenants/acme/restore", undefined, { ...(key !== undefined && { key }) });

beforeEach(async () => {
  await create();
  await call("POST", "/v1/tenants/acme/overrides", { override_amount: 5, duration: "7d", reason: "more" });
  await insertAlert(world.db);
  expect((await call("DELETE", "/v1/tenants/acme")).status).toBe(204);
});

it("shows the tenant with the end of its history, and its alerts and overrides", async () => {
  const { status, body } = await call("GET", "/v1/tenants/acme", undefined, { token: "read" });
  expect([status, body]).toEqual([200, expect.objectContaining({ state: "deleted", reason: "deleted", ...DELETED })]);
  const lengthOf = async (path: string) => (await call("GET", path, undefined, { token: "read" })).body.data.length;
  for (const path of ["/v1/tenants/acme/alerts", "/v1/alerts"]) expect(await lengthOf(path), path).toBe(2);
  const overrides = "/v1/tenants/acme/overrides";
  expect(await lengthOf(overrides)).toBe(1);
  expect(await lengthOf(`${overrides}?since=${iso(NOW)}`)).toBe(1);
  expect(await lengthOf(`${overrides}?until=${iso(NOW)}`)).toBe(0);
  expect((await call("GET", "/v1/tenants")).body.data).toEqual([]);
  expect((await call("GET", "/v1/audit?tenant_id=acme&action=tenant_deleted")).body.data).toHaveLength(1);
});

it.each([
  ["POST", "/v1/tenants", { tenant_id: "acme" }],
  ["PATCH", "/v1/tenants/acme", { max_budget: 5 }],
  ["POST", "/v1/tenants/acme/suspend", undefined],
  ["POST", "/v1/tenants/acme/resume", undefined],
  ["POST", "/v1/tenants/acme/reset", undefined],
  ["POST", "/v1/tenants/acme/keys", undefined],
  ["POST", "/v1/tenants/acme/overrides", { override_amount: 5, duration: "7d", reason: "more" }],
  ["DELETE", "/v1/tenants/acme/overrides/11111111-1111-4111-8111-111111111111", undefined],
  ["DELETE", `/v1/tenants/acme/keys/${"a".repeat(64)}`, undefined],
])("%s %s answers 409 and names the restore", async (method, path, body) => {
  const answer = await call(method, path, body);
  expect([answer.status, answer.body]).toEqual([
    409,
    expect.objectContaining({ type: "urn:bursar:problem:tenant-deleted", ...DELETED }),
  ]);
  expect(answer.body.detail).toContain("POST /v1/tenants/acme/restore");
});

it("shows its keys, which ended with it, and each override", async () => {
  const [key] = (await call("GET", "/v1/tenants/acme/keys")).body.data;
  expect(key).toMatchObject({ state: "ended", ends_at: DELETED.deleted_at });
  expect((await call("GET", `/v1/tenants/acme/keys/${key.key_hash}`)).body).toEqual(key);
  const [override] = (await call("GET", "/v1/tenants/acme/overrides")).body.data;
  expect((await call("GET", `/v1/tenants/acme/overrides/${override.id}`)).body).toEqual(override);
});

it("lists and finds it among the deleted ones only, and counts it in no state", async () => {
  const list = async (query: string) => (await call("GET", `/v1/tenants${query}`)).body;
  const none = { ok: 0, warning: 0, grace: 0, blocked: 0, unknown: 0 };
  expect(await list("?sort=-used_percent")).toMatchObject({ data: [], counts: none });
  const found = ["state=deleted", "reason=deleted", "state=deleted&reason=deleted", "state=deleted&sort=-used_percent"];
  for (const query of [...found, "state=deleted&q=ACM"].map((each) => `?${each}`)) {
    expect(await list(query), query).toMatchObject({ data: [{ tenant_id: "acme", state: "deleted", ...DELETED }] });
  }
  for (const query of ["?state=deleted&q=other", "?state=deleted&reason=suspended", "?state=ok&reason=deleted"]) {
    expect((await list(query)).data, query).toEqual([]);
  }
  await create({ tenant_id: "zeta" });
  await call("DELETE", "/v1/tenants/zeta");
  const first = await list("?state=deleted&limit=1");
  expect((await list(`?state=deleted&limit=1&cursor=${first.next_cursor}`)).data).toMatchObject([
    { tenant_id: "zeta" },
  ]);
  await restore();
  expect(await list("")).toMatchObject({ data: [{ tenant_id: "acme" }], counts: { ...none, ok: 1 } });
});

it("answers 404 to a check and to a second deletion of a deleted tenant", async () => {
  expect((await call("GET", "/v1/tenants/acme/check", undefined, { token: "read" })).status).toBe(404);
  expect((await call("DELETE", "/v1/tenants/acme")).status).toBe(404);
});

it("comes back with a new key, shown once", async () => {
  const restored = await restore("again");
  expect(restored.status).toBe(201);
  expect(restored.headers.get("cache-control")).toBe("no-store, no-transform");
  expect(restored.headers.get("location")).toBe("/v1/tenants/acme");
  expect(restored.headers.get("etag")).toBe(`"${restored.body.config_version}"`);
  expect(restored.body).toMatchObject({ tenant_id: "acme", deleted_at: null, purge_at: null, litellm_sync: "synced" });
  expect(restored.body.virtual_key).toMatch(/^sk-/);
  const replay = await restore("again");
  expect([replay.status, replay.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
  expect(replay.body).toMatchObject({ note: expect.stringContaining("/v1/tenants/acme/keys") });
  expect(replay.body).not.toHaveProperty("virtual_key");
  expect((await restore()).body).toMatchObject({ status: 409, type: "urn:bursar:problem:tenant-taken" });
});

it("refuses other fields, and audits the reason", async () => {
  expect((await call("POST", "/v1/tenants/acme/restore", { key: "old" })).status).toBe(422);
  expect((await call("POST", "/v1/tenants/acme/restore", { reason: "by mistake" })).status).toBe(201);
  const [line] = (await call("GET", "/v1/audit?action=tenant_restored")).body.data;
  expect(line).toMatchObject({ tenant_id: "acme", detail: { reason: "by mistake" } });
});

it("gives an adopted key back, unless another tenant has it by now", async () => {
  const key = "sk-adopted-key-0123456789";
  await world.manage("POST", "/key/generate", { key, max_budget: 20 });
  const adopt = (tenant_id: string) => call("POST", "/v1/tenants", { tenant_id, litellm_key: key });
  expect((await adopt("old")).status).toBe(201);
  await call("DELETE", "/v1/tenants/old");
  expect((await adopt("new")).status).toBe(201);
  const taken = await call("POST", "/v1/tenants/old/restore");
  expect([taken.status, taken.body.type]).toEqual([409, "urn:bursar:problem:subject-taken"]);
  await call("DELETE", "/v1/tenants/new");
  const restored = await call("POST", "/v1/tenants/old/restore");
  expect([restored.status, restored.body.deleted_at, restored.body.virtual_key]).toEqual([200, null, undefined]);
});

it("answers 503 while LiteLLM still has the old key, and 404 for a tenant that never was", async () => {
  expect((await call("POST", "/v1/tenants/nobody/restore")).status).toBe(404);
  expect((await call("POST", "/v1/tenants/a%20b/restore")).status).toBe(404);
  await restore();
  await world.litellm.stop();
  expect((await call("DELETE", "/v1/tenants/acme")).status).toBe(202);
  const answer = await restore();
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
  await world.litellm.restart();
});

it("shows the same deleted_at and purge_at a minute later", async () => {
  world.now += MINUTE;
  expect((await call("GET", "/v1/tenants/acme")).body).toMatchObject(DELETED);
});
