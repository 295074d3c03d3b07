// CORS for Gate: which browsers' origins may call it. A key is still needed for everything but a preflight.

import type { Context } from "hono";
import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../app-env.ts";

/** What a browser lets the agent read besides the body. */
const EXPOSED = [
  "Retry-After",
  "X-Bursar-Remaining",
  "X-Bursar-State",
  "X-LiteLLM-Call-Id",
  "X-LiteLLM-Response-Cost",
  "X-Request-Id",
  "X-Should-Retry",
];

/** Chrome keeps a preflight for two hours at most. */
const PREFLIGHT_SECONDS = 7_200;

/** Permits the headers that the preflight names, because SDKs send many. The key is a header, never a cookie. */
const permitted = cors({
  origin: (_, c) => allowedOrigin(c),
  allowMethods: ["GET", "HEAD", "POST", "DELETE"],
  exposeHeaders: EXPOSED,
  maxAge: PREFLIGHT_SECONDS,
});

/** Leaves a request from any other origin, and one without an origin, as it is. */
export const gateCors = createMiddleware<AppEnv>(async (c, next) =>
  allowedOrigin(c) === null ? next() : permitted(c, next),
);

function allowedOrigin(c: Context<AppEnv>): string | null {
  const origin = c.req.header("Origin");
  const { corsOrigins } = c.get("ports").policy;
  if (origin === undefined) return null;
  if (corsOrigins.includes("*")) return "*";
  return corsOrigins.includes(origin) ? origin : null;
}
