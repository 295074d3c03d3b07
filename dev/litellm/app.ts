// Every route of the simulator, and what happens to each request before and after its route.
// Must never decide anything: routes do.

import { Hono } from "hono";
import { budgetRoutes } from "./budgets.ts";
import { chatRoutes } from "./chat.ts";
import { controlRoutes } from "./control.ts";
import { crash, LitellmError } from "./errors.ts";
import { keyChanges } from "./key-changes.ts";
import { keyCreation } from "./key-creation.ts";
import { keyReads } from "./key-reads.ts";
import { keyUpdate } from "./key-update.ts";
import type { RequestLog } from "./request-log.ts";
import type { Store } from "./store.ts";
import { teamRoutes } from "./teams.ts";

const MANAGEMENT = /^\/(?:v2\/)?(?:key|team|budget)\//;

export function litellmApp(store: Store, log: RequestLog): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    if (MANAGEMENT.test(c.req.path)) await log.add(c.req.raw.clone(), store.now());
    await next();
    c.header("server", "uvicorn");
  });
  for (const path of ["/health/liveliness", "/health/liveness"]) app.get(path, (c) => c.json("I'm alive!"));
  app.get("/health/readiness", (c) => c.json(readiness(store)));
  app.route("/", keyCreation(store));
  app.route("/", keyReads(store));
  app.route("/", keyUpdate(store));
  app.route("/", keyChanges(store));
  app.route("/", teamRoutes(store));
  app.route("/", budgetRoutes(store));
  app.route("/", chatRoutes(store));
  app.route("/", controlRoutes(store, log));

  app.notFound((c) => {
    const isKnown = app.routes.some((route) => route.path === c.req.path && route.method !== "ALL");
    return isKnown ? c.json({ detail: "Method Not Allowed" }, 405) : c.json({ detail: "Not Found" }, 404);
  });
  app.onError((error) => {
    if (error instanceof LitellmError) return error.toResponse();
    console.error("litellm simulator: a bug:", error);
    return crash().toResponse();
  });
  return app;
}

function readiness(store: Store) {
  return {
    status: "healthy",
    db: "connected",
    cache: null,
    litellm_version: store.settings.version,
    success_callbacks: [],
    use_aiohttp_transport: true,
  };
}
