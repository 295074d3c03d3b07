// `/v1/tenants/{id}/keys` over HTTP: a new key is shown once, and the old ones go on for the overlap.

import { beforeEach, describe, expect, it } from "vitest";
import type { KeyHash } from "../../../src/budget/tenant.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { fieldsOf, useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, deps, call, create } = useTenantsApi();
const PATH = "/v1/tenants/acme/keys";
let first: KeyHash;

beforeEach(async () => {
  first = sha256((await create()).body.virtual_key);
});

const AT = "2026-11-15T12:00:00.000Z";

describe("a new key", () => {
  it("answers 201 with the virtual key, which LiteLLM accepts, and the old one goes on for the overlap", async () => {
    const { status, headers, body } = await call("POST", PATH, { overlap: "1h" });
    const second = sha256(body.virtual_key);
    expect([status, headers.get("location")]).toEqual([201, `${PATH}/${second}`]);
    expect(headers.get("cache-control")).toBe("no-store, no-transform");
    expect(body).toEqual({
      tenant_id: "acme",
      key_hash: second,
      virtual_key: expect.stringMatching(/^sk-[\w-]{43}$/),
      currency: "USD",
      carried: 0,
      litellm_sync: "synced",
      data: [
        { key_hash: second, state: "active", created_at: AT, ends_at: null },
        { key_hash: first, state: "active", created_at: AT, ends_at: "2026-11-15T13:00:00.000Z" },
      ],
    });
    expect(await world.keyRow(second)).toMatchObject({ max_budget: 550 });
  });

  it("ends the old one at once without a body", async () => {
    const { status, body } = await call("POST", PATH);
    expect([status, body.data[1]]).toEqual([201, { key_hash: first, state: "ended", created_at: AT, ends_at: AT }]);
    expect(await world.keyRow(first)).toMatchObject({ blocked: true });
  });

  it("exists once for an idempotency key, and a replay does not show it", async () => {
    const options = { key: "rotate-1" };
    const made = await call("POST", PATH, {}, options);
    const replay = await call("POST", PATH, {}, options);
    const { virtual_key: _, ...shown } = made.body;
    const note = "The virtual key is shown once. POST /v1/tenants/acme/keys makes another one.";
    expect([replay.status, replay.body]).toEqual([201, { ...shown, note }]);
    expect(replay.headers.get("idempotency-replayed")).toBe("true");
    expect((await call("GET", PATH)).body.data).toHaveLength(2);
  });

  it.each(["0", "-1h", "1x", 60, null])("cannot have the overlap %j", async (overlap) => {
    const answer = await call("POST", PATH, { overlap });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ["overlap"]]);
  });

  it("needs valid JSON and a tenant that exists", async () => {
    const statuses = [
      (await call("POST", PATH, "{")).status,
      (await call("POST", "/v1/tenants/globex/keys", {})).status,
      (await call("POST", "/v1/tenants/no id/keys", {})).status,
    ];
    expect(statuses).toEqual([400, 404, 404]);
  });

  it("cannot be made for a team, whose keys are LiteLLM's, nor for an adopted key", async () => {
    await world.manage("POST", "/team/new", { team_id: "red", max_budget: 10 });
    await world.manage("POST", "/key/generate", { key: "sk-adopted", max_budget: 10 });
    await create({ tenant_id: "red", litellm_team_id: "red" });
    await create({ tenant_id: "adopted", litellm_key: "sk-adopted" });
    for (const id of ["red", "adopted"]) {
      const { status, body } = await call("POST", `/v1/tenants/${id}/keys`, {});
      expect([status, body.type, body.detail]).toEqual([
        409,
        expect.stringContaining("key-not-replaceable"),
        expect.any(String),
      ]);
    }
    expect((await call("GET", "/v1/tenants/red/keys")).body.data).toEqual([]);
  });
});

describe("the list of keys", () => {
  it("shows readers the newest first, and answers 404 without a tenant", async () => {
    const { status, body } = await call("GET", PATH, undefined, { token: "read" });
    const data = [{ key_hash: first, state: "active", created_at: AT, ends_at: null }];
    expect([status, body]).toEqual([200, { data, currency: "USD", carried: 0, next_cursor: null }]);
    expect((await call("GET", "/v1/tenants/globex/keys")).status).toBe(404);
    expect((await call("GET", "/v1/tenants/no id/keys")).status).toBe(404);
  });
});

describe("removing a key", () => {
  it("answers 204 for an older key, which LiteLLM refuses from then on", async () => {
    await call("POST", PATH, { overlap: "1h" });
    expect((await call("DELETE", `${PATH}/${first.toUpperCase()}`)).status).toBe(204);
    expect(await world.keyRow(first)).toMatchObject({ blocked: true });
    expect(await deps.tenants.findByKey(first)).toBeNull();
  });

  it("refuses the newest key, keys of others and what is no hash", async () => {
    const { status, body } = await call("DELETE", `${PATH}/${first}`);
    expect([status, body.detail]).toEqual([409, expect.stringContaining("Make another one first")]);
    expect((await call("DELETE", `${PATH}/${"b".repeat(64)}`)).status).toBe(404);
    expect((await call("DELETE", `${PATH}/sk-1`)).status).toBe(404);
    expect((await call("DELETE", `/v1/tenants/globex/keys/${first}`)).status).toBe(404);
  });
});
