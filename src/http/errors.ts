// The one place where a throw becomes an answer. An outage says which service is away, a bug says its request id only.

import type { Context } from "hono";
import { Outage } from "../ports/outage.ts";
import type { AppEnv } from "./app-env.ts";
import { answerUnchecked, GUARD_PATH } from "./litellm/guard.ts";
import { dependencyAway, problem } from "./problem.ts";

export function answerError(error: Error, c: Context<AppEnv>): Response {
  const route = { route: c.req.routePath, method: c.req.method, request_id: c.get("requestId") };
  // Without ports the configuration itself is broken, which deps.ts has logged.
  const log = c.get("ports")?.log;
  if (c.req.path === GUARD_PATH) {
    log?.error("guardrail failed", error, route);
    return answerUnchecked(c);
  }
  if (error instanceof Outage) {
    log?.error("a dependency is away", error, route);
    return dependencyAway(c, `${error.dependency} cannot be reached.`);
  }
  log?.error("bug", error, route);
  return problem(c, "internal-error");
}
