// All routes of the simulator, and the steps before and after each of them.
// Must never decide anything; the routes do.

import { Hono } from "hono";
import { chatRoutes } from "./calls/chat.ts";
import { controlRoutes, outgoingControls } from "./control.ts";
import { crash, errorOf, LitellmError } from "./errors.ts";
import { healthRoutes } from "./health.ts";
import { budgetRoutes } from "./management/budgets.ts";
import { keyChanges } from "./management/key-changes.ts";
import { keyCreation } from "./management/key-creation.ts";
import { keyReads } from "./management/key-reads.ts";
import { keyUpdate } from "./management/key-update.ts";
import { teamRoutes } from "./management/teams.ts";
import type { Outgoing } from "./outgoing/outgoing.ts";
import type { RequestLog } from "./request-log.ts";
import type { Store } from "./state/store.ts";

const MANAGEMENT = /^\/(?:v2\/)?(?:key|team|budget)\//;

const SECURITY_HEADERS = {
  vary: "Origin",
  "x-frame-options": "DENY",
  "content-security-policy": "frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};

export function litellmApp(store: Store, log: RequestLog, outgoing: Outgoing): Hono {
  const app = new Hono();
  const { behaviour } = store.settings;
  const headers = behaviour.release >= 103 ? SECURITY_HEADERS : { server: "uvicorn" };
  app.use(async (c, next) => {
    if (MANAGEMENT.test(c.req.path)) await log.add(c.req.raw.clone(), store.now());
    await next();
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
  });
  app.route("/", healthRoutes(store, outgoing));
  app.route("/", keyCreation(store));
  app.route("/", keyReads(store));
  app.route("/", keyUpdate(store));
  app.route("/", keyChanges(store));
  app.route("/", teamRoutes(store));
  app.route("/", budgetRoutes(store));
  app.route("/", chatRoutes(store, outgoing.guardrail));
  app.route("/", controlRoutes(store, log));
  app.route("/", outgoingControls(outgoing));

  app.notFound((c) => {
    const isKnown = app.routes.some((route) => route.path === c.req.path && route.method !== "ALL");
    return isKnown ? c.json({ detail: "Method Not Allowed" }, 405) : c.json({ detail: "Not Found" }, 404);
  });
  app.onError((error) => {
    if (error instanceof LitellmError) return errorOf(error, behaviour).toResponse();
    console.error("bug in the litellm simulator:", error);
    return crash().toResponse();
  });
  return app;
}
