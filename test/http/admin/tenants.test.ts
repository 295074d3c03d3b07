// `/v1/tenants` over HTTP: statuses, and problems that name each field. Real Postgres and simulator.

import { describe, expect, it } from "vitest";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { aTenantListQuery } from "../../support/builders/builders.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { fieldsOf, useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, deps, call, create } = useTenantsApi();

describe("creating", () => {
  it("answers 201 with the tenant and its new key, shown only once", async () => {
    const { status, headers, body } = await create({ max_budget: 12.5, name: "Acme" });
    expect(status).toBe(201);
    expect(headers.get("Location")).toBe("/v1/tenants/acme");
    expect(headers.get("Cache-Control")).toBe("no-store, no-transform");
    expect(body).toMatchObject({
      tenant_id: "acme",
      name: "Acme",
      subject: { kind: "key", id: sha256(body.virtual_key) },
      currency: "USD",
      max_budget: 12.5,
      alert_threshold: 80,
      grace_threshold: 110,
      budget_duration: "30d",
      enforcement: "enforce",
      fail_policy: null,
      state: "ok",
      reason: "within_budget",
      spend: 0,
      limit: 12.5,
      used_percent: 0,
      blocks_at: 13.75,
      period_started_at: "2026-11-15T12:00:00.000Z",
      resets_at: "2026-12-01T00:00:00.000Z",
      as_of: "2026-11-15T12:00:00.000Z",
      overrides: [],
      config_version: 1,
      litellm_sync: "synced",
      litellm_sync_error: null,
      adopted: false,
      suspended_at: null,
      subject_missing_at: null,
      litellm_blocked_at: null,
      created_at: "2026-11-15T12:00:00.000Z",
    });
    expect(body.virtual_key).toMatch(/^sk-[A-Za-z0-9_-]{43}$/);
    expect(await world.keyRow(body.subject.id)).toMatchObject({ max_budget: 13.75 });
    const { virtual_key: _, ...shown } = body;
    expect((await call("GET", "/v1/tenants/acme")).body).toEqual(shown);
  });

  it("answers 201 with the key while LiteLLM is down, and shows a pending sync", async () => {
    await world.litellm.stop();
    const { status, body } = await create();
    expect([status, body.litellm_sync, body.state]).toEqual([201, "pending", "unknown"]);
    expect(body.virtual_key).toMatch(/^sk-/);
    await world.litellm.restart();
  });

  it("adopts a key given raw or by its hash, and shows no key", async () => {
    await world.manage("POST", "/key/generate", { key: "sk-theirs", max_budget: 20 });
    const { status, body } = await create({ litellm_key: sha256("sk-theirs").toUpperCase() });
    expect([status, body.adopted, body.max_budget]).toEqual([201, true, 20]);
    expect(body).not.toHaveProperty("virtual_key");
    await call("DELETE", "/v1/tenants/acme");
    await world.db.query("delete from tenant_configs");
    expect((await create({ litellm_key: "sk-theirs" })).body.subject).toEqual({ kind: "key", id: sha256("sk-theirs") });
  });

  it.each([
    ["litellm_key", { litellm_key: "sk-nobody" }],
    ["litellm_team_id", { litellm_team_id: "nobody" }],
  ])("answers 422 naming %s when LiteLLM does not know it", async (field, body) => {
    const answer = await create(body);
    expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
  });

  it("answers 422 to a virtual key in the place of a team's id", async () => {
    const { status, body } = await create({ litellm_team_id: "sk-by-mistake" });
    expect([status, body.detail]).toEqual([422, "litellm_team_id: must not hold a virtual key (sk-…)"]);
  });

  it("adopts the key of a whole Authorization header", async () => {
    await world.manage("POST", "/key/generate", { key: "sk-theirs", max_budget: 20 });
    const { body } = await create({ litellm_key: "Bearer sk-theirs" });
    expect(body.subject).toEqual({ kind: "key", id: sha256("sk-theirs") });
  });

  it("answers 422 naming max_budget instead of enforcing a default on an adopted key or team without one", async () => {
    await world.manage("POST", "/key/generate", { key: "sk-theirs" });
    await world.manage("POST", "/team/new", { team_id: "red" });
    for (const subject of [{ litellm_key: "sk-theirs" }, { litellm_team_id: "red" }]) {
      const answer = await create(subject);
      expect([answer.status, fieldsOf(answer)]).toEqual([422, ["max_budget"]]);
    }
    expect((await create({ litellm_team_id: "red", enforcement: "observe" })).body.max_budget).toBe(500);
    const named = await create({ tenant_id: "named", litellm_key: "sk-theirs", max_budget: 9 });
    expect([named.status, named.body.max_budget]).toEqual([201, 9]);
  });

  it("answers 503, not a refusal, to an adoption while LiteLLM is down", async () => {
    await world.litellm.stop();
    const { status, body, headers } = await create({ litellm_key: "sk-theirs" });
    expect([status, body.type]).toEqual([503, "urn:bursar:problem:dependency-unavailable"]);
    expect(headers.get("Retry-After")).toBe("5");
    await world.litellm.restart();
  });

  it("answers 409 for a taken id or key", async () => {
    await world.manage("POST", "/key/generate", { key: "sk-theirs", max_budget: 20 });
    await create({ litellm_key: "sk-theirs" });
    const sameId = await create();
    expect([sameId.status, sameId.body.type]).toEqual([409, "urn:bursar:problem:tenant-taken"]);
    const sameKey = await create({ tenant_id: "other", litellm_key: "sk-theirs" });
    expect([sameKey.status, sameKey.body.type]).toEqual([409, "urn:bursar:problem:subject-taken"]);
  });

  it("names every invalid field at once, misspelt and exclusive ones included", async () => {
    const answer = await create({
      tenant_id: "-acme",
      max_budget: "500",
      alert_treshold: 80,
      grace_threshold: 99.99,
      budget_duration: "banana",
      litellm_key: "x",
      litellm_team_id: "t",
    });
    expect(answer.status).toBe(422);
    expect(fieldsOf(answer)).toEqual([
      "alert_treshold",
      "budget_duration",
      "grace_threshold",
      "litellm_key",
      "litellm_team_id",
      "max_budget",
      "tenant_id",
    ]);
    expect(await deps.tenants.list(aTenantListQuery())).toMatchObject({ tenants: [] });
  });

  it.each([
    ["max_budget", [0, 1e9, 1e-9, 0.1, 999999999.99], [-0.01, 1e9 + 1, 1e-10, 0.1 + 0.2, "5", null, true]],
    ["alert_threshold", [50, 100, 79.99], [49.99, 100.01, 80.001, 80.0000000001]],
    ["grace_threshold", [100, 150, 110.01], [99.99, 150.01, 110.001]],
    ["budget_duration", ["1s", "1mo", "30d", "2w", null], ["", "0d", "2mo", "12mo", "30", "1y", "30D", 30, " 1d"]],
    ["enforcement", ["enforce", "observe"], ["off", null]],
    ["fail_policy", ["open", "closed", null], ["ajar", false]],
    ["name", ["Zoë", null], ["", "   ", "x".repeat(201), "key sk-1"]],
    ["tenant_id", ["a", "A.b_c-9", "x".repeat(128)], ["", ".a", "a/b", "a b", "é", "x".repeat(129), 7, "sk-1"]],
  ])("validates the values of %s", async (field, right, wrong) => {
    for (const [index, value] of right.entries()) {
      const { status, body } = await create({ tenant_id: `t${index}`, [field]: value });
      expect([status, body[field]]).toEqual([201, value]);
    }
    for (const value of wrong) {
      const answer = await create({ [field]: value });
      expect([value, answer.status, fieldsOf(answer)]).toEqual([value, 422, [field]]);
    }
  });

  it.each(["", "{", "undefined"])("answers 400 to malformed JSON: %j", async (text) => {
    expect((await call("POST", "/v1/tenants", text)).status).toBe(400);
  });

  it.each(["[]", "null", "7", '"acme"'])("answers 422 to JSON that is not an object: %s", async (text) => {
    expect((await call("POST", "/v1/tenants", text)).status).toBe(422);
  });

  it("answers 503 while Postgres is down, and creates nothing", async () => {
    world.db.away();
    const { status, body } = await create().finally(() => world.db.back());
    expect([status, body.type]).toEqual([503, "urn:bursar:problem:dependency-unavailable"]);
    expect((await call("GET", "/v1/tenants/acme")).status).toBe(404);
  });

  it("refuses to create with a read token or without a token", async () => {
    const body = { tenant_id: "acme" };
    expect((await call("POST", "/v1/tenants", body, { token: "read" })).status).toBe(403);
    expect((await call("POST", "/v1/tenants", body, { token: "wrong" })).status).toBe(401);
  });
});

describe("reading", () => {
  it("lists by id, paged, with the counts of all states", async () => {
    for (const tenant_id of ["b", "a", "c"]) await create({ tenant_id, ...(tenant_id === "c" && { max_budget: 0 }) });
    const first = await call("GET", "/v1/tenants?limit=2", undefined, { token: "read" });
    expect(first.body).toMatchObject({
      data: [{ tenant_id: "a" }, { tenant_id: "b" }],
      next_cursor: expect.stringMatching(/^[\w-]+$/),
      counts: { ok: 2, warning: 0, grace: 0, blocked: 1, unknown: 0 },
    });
    const second = await call("GET", `/v1/tenants?limit=2&cursor=${first.body.next_cursor}`);
    expect(second.body).toMatchObject({ data: [{ tenant_id: "c" }], next_cursor: null });
    expect((await call("GET", "/v1/tenants?state=blocked")).body.data).toMatchObject([
      { tenant_id: "c", state: "blocked" },
    ]);
  });

  it.each([
    ["limit", "limit=0"],
    ["limit", "limit=201"],
    ["limit", "limit=1.5"],
    ["state", "state=broke"],
    ["reason", "reason=blocked"],
    ["sort", "sort=used_percent"],
    ["q", "q="],
    ["cursor", "cursor=zzz"],
    ["cursor", "cursor=acme"],
    ["cursor", "cursor="],
    ["cursor", "cursor=a%2Fb"],
  ])("answers 422 naming %s: ?%s", async (field, query) => {
    const answer = await call("GET", `/v1/tenants?${query}`);
    expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
  });

  it("answers 404 for a missing tenant, whatever its id looks like", async () => {
    for (const id of ["nobody", "%2F", "x".repeat(500)]) {
      expect((await call("GET", `/v1/tenants/${id}`)).status).toBe(404);
      expect((await call("PATCH", `/v1/tenants/${id}`, { name: "x" })).status).toBe(404);
      expect((await call("DELETE", `/v1/tenants/${id}`)).status).toBe(404);
    }
  });

  it("shows the active overrides and the limit with them", async () => {
    await create();
    await world.db.query(
      `insert into budget_overrides (id, tenant_id, override_amount, created_at, expires_at, revoked_at, reason, created_by)
       values ('00000000-0000-4000-8000-000000000001', 'acme', 100, $1, $2, null, '', ''),
              ('00000000-0000-4000-8000-000000000002', 'acme', 50, $1, $2, $1, '', '')`,
      [new Date(NOW - MINUTE), new Date(NOW + MINUTE)],
    );
    const { body } = await call("GET", "/v1/tenants/acme");
    expect(body).toMatchObject({ limit: 600, blocks_at: 660, max_budget: 500 });
    expect(body.overrides).toMatchObject([{ id: "00000000-0000-4000-8000-000000000001", override_amount: 100 }]);
  });
});

describe("changing and deleting", () => {
  it("changes only the given fields and answers the tenant", async () => {
    await create({ name: "Acme" });
    const { status, body } = await call("PATCH", "/v1/tenants/acme", { max_budget: 600, name: null });
    expect([status, body.max_budget, body.name, body.config_version]).toEqual([200, 600, null, 2]);
    expect((await call("GET", "/v1/tenants/acme")).body).toEqual(body);
  });

  it("refuses to change a tenant's id or subject", async () => {
    await create();
    const answer = await call("PATCH", "/v1/tenants/acme", { tenant_id: "other", litellm_key: "sk-x", max_budget: -1 });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ["litellm_key", "max_budget", "tenant_id"]]);
  });

  it("refuses a duration of several months, which LiteLLM cannot keep, and suggests another", async () => {
    await create();
    const answer = await call("PATCH", "/v1/tenants/acme", { budget_duration: "2mo" });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ["budget_duration"]]);
    expect(answer.body.errors[0].message).toContain("60d");
  });

  it("shows a pending sync while LiteLLM is down: 200 for a change, 202 for a deletion, then 404", async () => {
    await create();
    await world.litellm.stop();
    const changed = await call("PATCH", "/v1/tenants/acme", { max_budget: 600 });
    expect([changed.status, changed.body.litellm_sync]).toEqual([200, "pending"]);
    const deleted = await call("DELETE", "/v1/tenants/acme");
    expect([deleted.status, deleted.body]).toEqual([202, { tenant_id: "acme", litellm_sync: "pending" }]);
    expect((await call("GET", "/v1/tenants/acme")).body).toMatchObject({ state: "deleted", litellm_sync: "pending" });
    await world.litellm.restart();
  });

  it("answers 204 without a body to a completed deletion", async () => {
    await create();
    const { status, body } = await call("DELETE", "/v1/tenants/acme");
    expect([status, body]).toEqual([204, null]);
  });

  it("refuses changes and deletions with a read token", async () => {
    await create();
    expect((await call("PATCH", "/v1/tenants/acme", { name: "x" }, { token: "read" })).status).toBe(403);
    expect((await call("DELETE", "/v1/tenants/acme", undefined, { token: "read" })).status).toBe(403);
    expect((await call("GET", "/v1/tenants/acme", undefined, { token: "read" })).status).toBe(200);
  });
});
