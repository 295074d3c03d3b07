// `/healthz` and `/readyz` over HTTP: without a token, and never cached.

import { beforeEach, expect, it } from "vitest";
import { AWAY } from "../support/fakes/fake-litellm.ts";
import { HttpWorld } from "../support/worlds/http-world.ts";

let world: HttpWorld;
beforeEach(() => {
  world = new HttpWorld();
});

it("reports liveness without calling a dependency", async () => {
  world.tenants.trouble("ping", new Error("down"));
  const { status, headers, body } = await world.call("/healthz");
  expect([status, body, headers.get("Cache-Control")]).toEqual([200, { status: "ok" }, "no-store"]);
});

it("reports each dependency with its latency", async () => {
  const { status, headers, body } = await world.call("/readyz");
  const fine = { ok: true, latency_ms: 0 };
  expect([status, headers.get("Cache-Control")]).toEqual([200, "no-store"]);
  expect(body).toEqual({ status: "ready", dependencies: { postgres: fine, redis: fine, kv: fine, litellm: fine } });
});

it("answers 503 without a reason when a dependency is down", async () => {
  world.litellm.pingFailure = { ...AWAY, why: "status 500 of http://litellm.internal" } as typeof AWAY;
  const { status, body } = await world.call("/readyz");
  expect([status, body.status, body.dependencies.litellm.ok]).toEqual([503, "not_ready", false]);
  expect(body.dependencies.postgres.ok).toBe(true);
  expect(JSON.stringify(body)).not.toContain("internal");
});
