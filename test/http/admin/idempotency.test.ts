// `Idempotency-Key` over HTTP: a request runs once, and a replay shows no secret. Real Postgres and simulator.

import { describe, expect, it, vi } from "vitest";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { fieldsOf, useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, deps, claims, call, create } = useTenantsApi();

describe("creating with an idempotency key", () => {
  it("creates once and replays the answer without the virtual key", async () => {
    const first = await create({}, "k1");
    vi.setSystemTime(NOW + MINUTE);
    const second = await create({}, "k1");
    const { virtual_key: _, ...shown } = first.body;
    expect([second.status, second.body]).toEqual([201, shown]);
    expect(second.headers.get("Idempotency-Replayed")).toBe("true");
    expect(first.headers.get("Idempotency-Replayed")).toBeNull();
    expect(JSON.stringify([...claims().answers])).not.toContain("sk-");
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
