// Table of contents of the HTTP side: the middleware of every request, in order, and the file of every route.

import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { alertRoutes } from "./http/admin/alerts.ts";
import { auditRoutes } from "./http/admin/audit.ts";
import { channelRoutes } from "./http/admin/channels.ts";
import { deadLetterRoutes } from "./http/admin/dead-letters.ts";
import { deletedTenantRoutes } from "./http/admin/tenants/deleted-tenant.ts";
import { keyRoutes } from "./http/admin/tenants/keys.ts";
import { overrideRoutes } from "./http/admin/tenants/overrides.ts";
import { tenantActRoutes } from "./http/admin/tenants/tenant-actions.ts";
import { tenantRoutes } from "./http/admin/tenants/tenants.ts";
import { budgetRoutes } from "./http/agents/budget.ts";
import { gateRoutes } from "./http/agents/gate.ts";
import type { AppEnv } from "./http/app-env.ts";
import { refuseEncoded } from "./http/content-encoding.ts";
import { answerError } from "./http/errors.ts";
import { healthRoutes } from "./http/health.ts";
import { eventRoutes } from "./http/litellm/events.ts";
import { guardRoutes } from "./http/litellm/guard.ts";
import { setupRoutes } from "./http/litellm/setup.ts";
import { webhookRoutes } from "./http/litellm/webhooks.ts";
import { problem } from "./http/problem.ts";
import { serverTiming } from "./http/server-timing.ts";
import { varyByCredential } from "./http/vary-by-credential.ts";
import type { Tokens } from "./ports/policy.ts";
import type { Ports } from "./ports/ports.ts";
import { holdsVirtualKey } from "./wire/key-hash.ts";

/** Makes the ports of one request. Workers tie a request's I/O to its `ExecutionContext`. */
export type Connect = (env: Env, execution: ExecutionContext) => { ports: Ports; tokens: Tokens };

/** Admin requests and LiteLLM's webhooks stay far below it. */
const MAX_BODY_BYTES = 1024 * 1024;

function onMethodNotAllowed(c: Context<AppEnv>, methods: string[]): Response {
  const Allow = [...methods, "OPTIONS"].join(", ");
  if (c.req.method === "OPTIONS") return c.body(null, 204, { Allow });
  return problem(c, "method-not-allowed", { detail: `Send one of ${methods.join(", ")}.`, headers: { Allow } });
}

/** The caller's own path, unless it holds a key that answers and logs must not repeat. */
function noSuchRoute(c: Context<AppEnv>): Response {
  const route = holdsVirtualKey(c.req.path) ? "such route" : `route ${c.req.path}`;
  return problem(c, "not-found", { detail: `There is no ${route}.` });
}

/**
 * A cache must keep neither secrets nor what was just changed. Verdicts say for how long they hold. Compression on the
 * way would weaken an `ETag`, and `If-Match` accepts strong ones only.
 */
const noStore = createMiddleware<AppEnv>(async (c, next) => {
  await next();
  const { headers } = c.res;
  if (!headers.has("Cache-Control")) headers.set("Cache-Control", headers.has("ETag") ? NO_TRANSFORM : "no-store");
});

const NO_TRANSFORM = "no-store, no-transform";

/** Request ids reach the logs and the audit: a caller that sends its key as the id gets another one. */
const keylessRequestId = createMiddleware<AppEnv>(async (c, next) => {
  if (holdsVirtualKey(c.get("requestId"))) {
    c.set("requestId", crypto.randomUUID());
    c.header("X-Request-Id", c.get("requestId"));
  }
  await next();
});

export function createApp(connect: Connect) {
  // A slash at the end makes no other route.
  const app = new Hono<AppEnv>({ strict: false });

  app.use(requestId());
  app.use(keylessRequestId);
  app.use(secureHeaders());
  app.use(serverTiming);
  app.use(varyByCredential);
  app.use(async (c, next) => {
    const { ports, tokens } = connect(c.env, c.executionCtx as ExecutionContext);
    c.set("ports", ports);
    c.set("tokens", tokens);
    await next();
  });
  app.use("/v1/*", noStore);
  app.use("/v1/*", refuseEncoded);
  // Registered before the body limit: events are larger and streamed under a limit of their own; Gate reads no body.
  app.route("/", eventRoutes);
  app.route("/", guardRoutes);
  app.route("/", gateRoutes);
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => problem(c, "too-large") }));
  app.use(methodNotAllowed({ app, onMethodNotAllowed }));

  app.route("/", healthRoutes);
  app.route("/", budgetRoutes);
  app.route("/", webhookRoutes);
  app.route("/", tenantRoutes);
  app.route("/", keyRoutes);
  app.route("/", overrideRoutes);
  app.route("/", tenantActRoutes);
  app.route("/", deletedTenantRoutes);
  app.route("/", channelRoutes);
  app.route("/", alertRoutes);
  app.route("/", auditRoutes);
  app.route("/", deadLetterRoutes);
  app.route("/", setupRoutes);

  app.notFound(noSuchRoute);
  app.onError(answerError);
  return app;
}
