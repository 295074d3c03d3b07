// The problems that the routes of tenants share.

import type { Context } from "hono";
import type { AppEnv } from "./app-env.ts";
import { problem } from "./problem.ts";

/** LiteLLM's own restart takes about as long. */
const RETRY_LITELLM_SECONDS = 5;

export function noSuchTenant(c: Context<AppEnv>): Response {
  return problem(c, "not-found", { detail: "There is no such tenant." });
}

export function litellmAway(c: Context<AppEnv>, detail: string): Response {
  return problem(c, "dependency-unavailable", { detail, headers: { "Retry-After": String(RETRY_LITELLM_SECONDS) } });
}

/** That LiteLLM does not accept Bursar's own key is no fault of the request. */
export function refusedByLiteLlm(
  c: Context<AppEnv>,
  { status, message }: { status: number; message: string },
): Response {
  if (status === 401 || status === 403) return litellmAway(c, "LiteLLM does not accept Bursar's master key.");
  return problem(c, "litellm-refused", { detail: message });
}
