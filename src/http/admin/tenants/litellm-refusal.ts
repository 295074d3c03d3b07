// How the tenant routes answer a refusal by LiteLLM.

import type { Context } from "hono";
import type { AppEnv } from "../../app-env.ts";
import { dependencyAway, problem } from "../../problem.ts";

/** That LiteLLM does not accept Bursar's own key is no fault of the request. */
export function refusedByLiteLlm(
  c: Context<AppEnv>,
  { status, message }: { status: number; message: string },
): Response {
  if (status === 401 || status === 403) return dependencyAway(c, "LiteLLM does not accept Bursar's master key.");
  return problem(c, "litellm-refused", { detail: message });
}
