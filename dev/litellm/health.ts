// LiteLLM's health routes, including the one that makes it send a test alert.
// Must never require a key where LiteLLM requires none.

import { Hono } from "hono";
import { authenticate } from "./auth.ts";
import { proxyError, stringifiedError } from "./errors.ts";
import type { Outgoing } from "./outgoing/outgoing.ts";
import type { Store } from "./state/store.ts";

const SERVICES = "/health/services";

export function healthRoutes(store: Store, outgoing: Outgoing): Hono {
  const app = new Hono();
  for (const path of ["/health/liveliness", "/health/liveness"]) app.get(path, (c) => c.json("I'm alive!"));
  app.get("/health/readiness", (c) => c.json(readiness(store)));
  app.get(SERVICES, async (c) => {
    authenticate(c.req.raw.headers, { path: SERVICES, kind: "admin" }, store);
    const service = c.req.query("service");
    if (service !== "webhook") {
      throw stringifiedError(400, "auth_error", `Service must be in list. Service=${service} not in ['webhook']`);
    }
    if (await outgoing.sendTestAlert()) return c.json(null);
    throw proxyError(500, "auth_error", "Authentication Error, the webhook did not accept the alert");
  });
  return app;
}

function readiness(store: Store) {
  return {
    status: "healthy",
    db: "connected",
    cache: null,
    litellm_version: store.settings.behaviour.version,
    success_callbacks: [],
    use_aiohttp_transport: true,
  };
}
