// `/v1/tenants/{id}/overrides` over HTTP: statuses, problems that name each field, and idempotent grants.

import { beforeEach, describe, expect, it, vi } from "vitest";
import { DAY, MINUTE, NOW } from "../../budget/builders.ts";
import { fieldsOf, useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, deps, claims, call, create } = useTenantsApi();
const PATH = "/v1/tenants/acme/overrides";
const WISH = { override_amount: 100, duration: "1d", reason: "launch week" };

beforeEach(async () => {
  await create();
});

const grant = (differences: object = {}, key?: string) =>
  call("POST", PATH, { ...WISH, ...differences }, key === undefined ? {} : { key });
const passTo = (now: number) => {
  world.now = now;
  vi.setSystemTime(now);
};

describe("granting", () => {
  it("R2: answers 201 with the override and raises the tenant's limit", async () => {
    const { status, body } = await grant();
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      tenant_id: "acme",
      state: "active",
      currency: "USD",
      override_amount: 100,
      reason: "launch week",
      created_by: "alice",
      created_at: "2026-11-15T12:00:00.000Z",
      expires_at: "2026-11-16T12:00:00.000Z",
      revoked_by: null,
      revoked_at: null,
      litellm_sync: "synced",
    });
    const tenant = (await call("GET", "/v1/tenants/acme")).body;
    expect(tenant).toMatchObject({ max_budget: 500, limit: 600, override_amount: 100, blocks_at: 660 });
    expect(tenant.overrides).toEqual([
      { id: body.id, override_amount: 100, created_at: body.created_at, expires_at: body.expires_at },
    ]);
    expect((await call("GET", "/v1/tenants/acme/alerts")).body.data).toMatchObject([
      { event_type: "override_granted", limit: 600, detail: { override_id: body.id, reason: "launch week" } },
    ]);
  });

  it("shows a pending LiteLLM sync", async () => {
    await world.litellm.stop();
    const { status, body } = await grant();
    expect([status, body.litellm_sync]).toEqual([201, "pending"]);
    await world.litellm.restart();
  });

  it.each([
    ["2026-11-15T12:00:00.001Z", "2026-11-15T12:00:00.001Z"],
    ["2026-11-15T14:00:00+01:00", "2026-11-15T13:00:00.000Z"],
    ["2028-02-29T00:00Z", "2028-02-29T00:00:00.000Z"],
  ])("accepts an instant: %s", async (given, expected) => {
    const { status, body } = await grant({ duration: undefined, expires_at: given });
    expect([status, body.expires_at]).toEqual([201, expected]);
  });

  it.each([
    ["override_amount", { override_amount: 0 }],
    ["override_amount", { override_amount: -1 }],
    ["override_amount", { override_amount: "100" }],
    ["override_amount", { override_amount: 1e9 + 1 }],
    ["override_amount", { override_amount: 1e-10 }],
    ["override_amount", { override_amount: undefined }],
    ["duration", { duration: "banana" }],
    ["duration", { duration: "0d" }],
    ["duration", { duration: 7 }],
    ["expires_at", { duration: undefined }],
    ["expires_at", { expires_at: "2026-12-01T00:00:00Z" }],
    ["expires_at", { duration: undefined, expires_at: "2026-11-15T12:00:00Z" }],
    ["expires_at", { duration: undefined, expires_at: "2026-11-15T11:59:59Z" }],
    ["expires_at", { duration: undefined, expires_at: "2026-12-01" }],
    ["expires_at", { duration: undefined, expires_at: "2027-02-29T00:00:00Z" }],
    ["expires_at", { duration: undefined, expires_at: "2026-13-01T00:00:00Z" }],
    ["expires_at", { duration: undefined, expires_at: "2026-12-01T25:00:00Z" }],
    ["expires_at", { duration: undefined, expires_at: "2026-12-01T00:00:00" }],
    ["expires_at", { duration: undefined, expires_at: 1_796_000_000_000 }],
    ["reason", { reason: "   " }],
    ["reason", { reason: undefined }],
    ["reason", { reason: "x".repeat(501) }],
    ["reason", { reason: "two\nlines" }],
    ["reason", { reason: "for sk-1" }],
    ["reason", { reason: "\u0000" }],
    ["reason", { reason: "\ud800" }],
    ["amount", { amount: 5 }],
  ])("answers 422 naming %s: %j", async (field, differences) => {
    const answer = await grant(differences);
    expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
    expect((await call("GET", PATH)).body.data).toEqual([]);
  });

  it("names every invalid field at once, both ends included", async () => {
    const answer = await call("POST", PATH, { override_amount: 0, duration: "1d", expires_at: "2027-01-01T00:00:00Z" });
    expect(fieldsOf(answer)).toEqual(["expires_at", "override_amount", "reason"]);
  });

  it("answers 400 to malformed JSON, 401 without an admin token, 404 for a missing tenant", async () => {
    expect((await call("POST", PATH, "{")).status).toBe(400);
    expect((await call("POST", PATH, WISH, { token: "read" })).status).toBe(403);
    for (const id of ["nobody", "%2F"]) {
      expect((await call("POST", `/v1/tenants/${id}/overrides`, WISH)).status).toBe(404);
    }
  });

  it("answers 503 while Postgres is down, and grants nothing", async () => {
    world.db.away();
    const { status } = await grant().finally(() => world.db.back());
    expect(status).toBe(503);
    expect((await call("GET", PATH)).body.data).toEqual([]);
  });
});

describe("an idempotency key", () => {
  it("grants once, and replays the answer", async () => {
    const first = await grant({}, "k1");
    passTo(NOW + MINUTE);
    const second = await grant({}, "k1");
    expect([second.status, second.body]).toEqual([201, first.body]);
    expect(second.headers.get("Idempotency-Replayed")).toBe("true");
    expect((await call("GET", "/v1/tenants/acme")).body.limit).toBe(600);
  });

  it("refuses a reused key with another body, and separates keys by tenant", async () => {
    await create({ tenant_id: "globex" });
    await grant({}, "k1");
    expect((await grant({ override_amount: 7 }, "k1")).body.type).toBe("urn:bursar:problem:idempotency-key-reused");
    expect((await call("POST", "/v1/tenants/globex/overrides", WISH, { key: "k1" })).body.tenant_id).toBe("globex");
    await grant();
    await grant();
    expect((await call("GET", "/v1/tenants/acme")).body.limit).toBe(800);
  });

  it("grants once even if Redis has lost the key, because Postgres has the id", async () => {
    const first = await grant({}, "k1");
    claims().answers.clear();
    passTo(NOW + MINUTE);
    const again = await grant({}, "k1");
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect((await call("GET", PATH)).body.data).toHaveLength(1);
    expect((await call("GET", "/v1/tenants/acme/alerts")).body.data).toHaveLength(1);
  });

  it("releases the key of a refused grant", async () => {
    const late = { duration: undefined, expires_at: "2026-11-15T11:00:00Z" };
    expect((await grant(late, "k1")).status).toBe(422);
    expect((await grant({}, "k1")).status).toBe(201);
  });
});

describe("listing", () => {
  it("lists active, ended and revoked overrides, newest first, paged", async () => {
    const ended = (await grant({ duration: "1m" })).body.id;
    passTo(NOW + MINUTE);
    const revoked = (await grant()).body.id;
    await call("DELETE", `${PATH}/${revoked}`);
    passTo(NOW + 2 * MINUTE);
    const active = (await grant()).body.id;
    const first = await call("GET", `${PATH}?limit=2`, undefined, { token: "read" });
    expect(first.body.data).toMatchObject([
      { id: active, state: "active" },
      { id: revoked, state: "revoked", revoked_by: "alice", revoked_at: "2026-11-15T12:01:00.000Z" },
    ]);
    const second = await call("GET", `${PATH}?limit=2&cursor=${first.body.next_cursor}`);
    expect(second.body).toMatchObject({ data: [{ id: ended, state: "ended" }], next_cursor: null });
  });

  it("answers 404 for a missing tenant, 422 for a malformed cursor", async () => {
    expect((await call("GET", "/v1/tenants/nobody/overrides")).status).toBe(404);
    expect((await call("GET", "/v1/tenants/%2F/overrides")).status).toBe(404);
    const answer = await call("GET", `${PATH}?cursor=x`);
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ["cursor"]]);
    expect((await call("GET", PATH, undefined, { token: "wrong" })).status).toBe(401);
  });
});

describe("revoking", () => {
  it("answers 204 and restores the limit", async () => {
    const { id } = (await grant()).body;
    passTo(NOW + MINUTE);
    const { status, body } = await call("DELETE", `${PATH}/${id}`);
    expect([status, body]).toEqual([204, null]);
    expect((await call("GET", "/v1/tenants/acme")).body).toMatchObject({
      limit: 500,
      override_amount: 0,
      overrides: [],
    });
    expect((await call("DELETE", `${PATH}/${id}`)).status).toBe(204);
  });

  it("revoking an ended override is harmless", async () => {
    const { id } = (await grant()).body;
    passTo(NOW + DAY);
    expect((await call("DELETE", `${PATH}/${id}`)).status).toBe(204);
    expect((await call("GET", PATH)).body.data).toMatchObject([{ state: "ended", revoked_by: null }]);
    expect(await deps.overrides.recordEnds(10, NOW + DAY)).toHaveLength(1);
  });

  it("answers 404 for an override that the tenant does not have, whatever its id looks like", async () => {
    await create({ tenant_id: "globex" });
    const { id } = (await grant()).body;
    for (const path of [`/v1/tenants/globex/overrides/${id}`, `${PATH}/00000000-0000-4000-8000-000000000009`]) {
      expect((await call("DELETE", path)).status).toBe(404);
    }
    for (const path of [`${PATH}/banana`, `/v1/tenants/%2F/overrides/${id}`]) {
      expect((await call("DELETE", path)).status).toBe(404);
    }
    expect((await call("DELETE", `${PATH}/${id}`, undefined, { token: "read" })).status).toBe(403);
    expect((await call("GET", PATH)).body.data).toMatchObject([{ state: "active" }]);
  });
});
