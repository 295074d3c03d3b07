// `Idempotency-Key` over HTTP: a request runs once, and a replay shows no secret. Real Postgres and simulator.

import { describe, expect, it, vi } from "vitest";
import { DAY, MINUTE, NOW } from "../../budget/builders.ts";
import { fieldsOf, useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, deps, claims, call, create } = useTenantsApi();

describe("creating with an idempotency key", () => {
  it("creates once and replays the answer without the virtual key", async () => {
    const first = await create({}, "k1");
    vi.setSystemTime(NOW + MINUTE);
    const second = await create({}, "k1");
    const { virtual_key: _, ...shown } = first.body;
    const note = expect.stringContaining("POST /v1/tenants/acme/keys");
    expect([second.status, second.body]).toEqual([201, { ...shown, note }]);
    expect(second.headers.get("Idempotency-Replayed")).toBe("true");
    expect(first.headers.get("Idempotency-Replayed")).toBeNull();
    expect(JSON.stringify([...claims().answers])).not.toContain("sk-");
  });

  it("shows a new key to a caller that has gone before it was answered, and not as a replay", async () => {
    const gone = await create({}, "k1", AbortSignal.abort());
    const again = await create({}, "k1");
    expect([again.status, again.headers.get("Idempotency-Replayed")]).toEqual([201, null]);
    expect(again.body.virtual_key).toMatch(/^sk-/);
    expect(again.body.virtual_key).not.toBe(gone.body.virtual_key);
  });

  it("compares bodies by value, whatever their spaces and the order of their fields", async () => {
    await call("POST", "/v1/tenants", '{"tenant_id":"acme","max_budget":5}', { key: "k1" });
    const again = await call("POST", "/v1/tenants", '{ "max_budget": 5.0, "tenant_id": "acme" }', { key: "k1" });
    expect([again.status, again.headers.get("Idempotency-Replayed")]).toEqual([201, "true"]);
  });

  it("grants anew every week with one key, and once a day", async () => {
    await create();
    const body = { override_amount: 100, duration: "1d", reason: "weekly batch" };
    const grant = () => {
      claims().answers.clear(); // Redis has forgotten them, or lost them
      return call("POST", "/v1/tenants/acme/overrides", body, { key: "weekly" });
    };
    const first = await grant();
    vi.setSystemTime(NOW + DAY - MINUTE);
    expect((await grant()).body.id).toBe(first.body.id);
    vi.setSystemTime(NOW + 7 * DAY);
    expect(await grant()).toMatchObject({ status: 201, body: { state: "active" } });
    expect((await call("GET", "/v1/tenants/acme/overrides")).body.data).toHaveLength(2);
  });

  it("refuses the same key with another body, and changes nothing", async () => {
    await create({}, "k1");
    const { status, body } = await create({ tenant_id: "other" }, "k1");
    expect([status, body.type]).toEqual([422, "urn:bursar:problem:idempotency-key-reused"]);
    expect((await call("GET", "/v1/tenants/other")).status).toBe(404);
  });

  it("answers 409 while the first request runs, and creates one tenant", async () => {
    const statuses = (await Promise.all([create({}, "k1"), create({}, "k1")])).map(({ status }) => status);
    expect(statuses.sort()).toEqual([201, 409]);
  });

  it("releases the key after a failure", async () => {
    world.db.away();
    expect((await create({}, "k1").finally(() => world.db.back())).status).toBe(503);
    expect((await create({}, "k1")).status).toBe(201);
  });

  it("creates anew after LiteLLM has refused it, with another body too, and leaves nothing of the refused ones", async () => {
    const { createKey } = deps.litellm;
    deps.litellm.createKey = async () => ({
      ok: false,
      failure: { kind: "refused", status: 400, param: null, message: "no" },
    });
    for (const name of ["one", "one", "other"]) expect((await create({ name }, "k1")).status).toBe(422);
    expect((await call("GET", "/v1/tenants/acme")).status).toBe(404);
    deps.litellm.createKey = createKey;
    expect(await create({ name: "third" }, "k1")).toMatchObject({ status: 201, body: { name: "third" } });
  });

  it("works without Redis and logs that", async () => {
    claims().isAway = true;
    expect((await create({}, "k1")).status).toBe(201);
    expect(deps.log.lines.filter((line) => line.includes("idempotency key not"))).toHaveLength(2);
  });

  it("refuses a malformed key", async () => {
    const answer = await create({}, "x".repeat(256));
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ["Idempotency-Key"]]);
  });
});
