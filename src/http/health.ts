// `/healthz` and `/readyz`: liveness, and each dependency with its latency. The only routes without a token.

import { Hono } from "hono";
import { probeDependencies } from "../flows/probe-dependencies.ts";
import type { Readiness } from "../records/edge.ts";
import type { AppEnv } from "./app-env.ts";

export const healthRoutes = new Hono<AppEnv>()
  .get("/healthz", (c) => c.json({ status: "ok" }, 200, { "Cache-Control": "no-store" }))
  .get("/readyz", async (c) => {
    const readiness = await probeDependencies({ now: c.get("now") }, c.get("ports"));
    return c.json(readinessJson(readiness), readiness.ready ? 200 : 503, { "Cache-Control": "no-store" });
  });

function readinessJson({ ready, dependencies }: Readiness) {
  const entries = dependencies.map(({ name, ok, latencyMs }) => [name, { ok, latency_ms: latencyMs }] as const);
  return { status: ready ? "ready" : "not_ready", dependencies: Object.fromEntries(entries) };
}
