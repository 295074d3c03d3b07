// The one place where a throw becomes a response. An outage names the service that is down; a bug shows its request id
// only.

import type { Context } from "hono";
import { Outage } from "../ports/outage.ts";
import type { AppEnv } from "./app-env.ts";
import { answerUnchecked, GUARD_PATH } from "./litellm/guard.ts";
import { dependencyUnavailable, problem } from "./problem.ts";

const UNKNOWN_CHANGE =
  "postgres did not answer, so the change may have been made. Read before you send it again; a creation can be sent again with the same Idempotency-Key.";

export function answerError(error: Error, c: Context<AppEnv>): Response {
  const route = { route: c.req.routePath, method: c.req.method, request_id: c.get("requestId") };
  // Without ports the configuration is invalid, and deps.ts has logged that.
  const log = c.get("ports")?.log;
  if (c.req.path === GUARD_PATH) {
    log?.error("guardrail failed", error, route);
    return answerUnchecked(c);
  }
  if (error instanceof Outage) {
    log?.error("dependency unavailable", error, route);
    return dependencyUnavailable(c, error.isUnknown ? UNKNOWN_CHANGE : `${error.dependency} cannot be reached.`);
  }
  log?.error("unhandled error", error, route);
  return problem(c, "internal-error");
}
