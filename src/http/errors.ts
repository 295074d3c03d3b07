// The one place where a throw becomes an answer. An outage says which service is away, a bug says its request id only.

import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { Outage } from "../outage.ts";
import type { AppEnv } from "./app-env.ts";
import { type ProblemType, problem } from "./problem.ts";

/** Long enough for a connection to come back, short enough for a person who waits. */
const RETRY_AFTER_SECONDS = 5;

const BY_STATUS: Readonly<Record<number, ProblemType>> = {
  400: "malformed-json",
  401: "unauthorized",
  404: "not-found",
  413: "too-large",
};

export function answerError(error: Error, c: Context<AppEnv>): Response {
  if (error instanceof HTTPException) {
    const type = BY_STATUS[error.status];
    if (type !== undefined) return problem(c, type);
  }
  const route = { route: c.req.routePath, method: c.req.method, request_id: c.get("requestId") };
  // Without ports the configuration itself is broken; the console is all there is.
  const log = c.get("ports")?.log;
  if (error instanceof Outage) {
    log?.error("a dependency is away", error, route);
    return problem(c, "dependency-unavailable", {
      detail: `${error.dependency} cannot be reached. Nothing was changed.`,
      headers: { "Retry-After": String(RETRY_AFTER_SECONDS) },
    });
  }
  log?.error("bug", error, route);
  return problem(c, "internal-error");
}
