// How the tenant routes answer when LiteLLM refuses a change.

import type { Context } from "hono";
import type { AppEnv } from "../../app-env.ts";
import { dependencyUnavailable, problem } from "../../problem.ts";

/** LiteLLM's 401 and 403 are about Bursar's master key, not about the request: the caller gets a 503. */
export function refusedByLiteLlm(
  c: Context<AppEnv>,
  { status, message }: { status: number; message: string },
): Response {
  if (status === 401 || status === 403) {
    return dependencyUnavailable(c, "LiteLLM rejects Bursar's master key. Check LITELLM_MASTER_KEY.");
  }
  return problem(c, "litellm-refused", { detail: message });
}
