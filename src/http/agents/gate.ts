// Gate: `/llm/…` proxies LiteLLM's model routes for an agent whose base URL is Bursar. Reads neither body.

import { type Context, Hono } from "hono";
import type { StatusCode } from "hono/utils/http-status";
import type { Verdict } from "../../budget/verdict.ts";
import { type ForwardOutcome, forwardCall } from "../../flows/check/forward-call.ts";
import type { AppEnv } from "../app-env.ts";
import { keyHashOf, noKey, tooManyUnknown, unknownKey } from "../auth.ts";
import { dependencyUnavailable, problem } from "../problem.ts";
import { addressOf, checkInput } from "./check-input.ts";
import { headersBack, headersFor, keyIn, methodsOf, plainPath, queryFor } from "./gate-request.ts";
import { verdictJson, verdictResponse } from "./verdict-json.ts";

/** LiteLLM caches spend for up to a minute, so its refusal can be out of date; the read that follows settles it. */
const RETRY_REFUSED_SECONDS = 30;

export const gateRoutes = new Hono<AppEnv>().all("/llm/*", async (c) => {
  c.set("speaksOpenAi", true);
  const response = await forward(c);
  response.headers.set("Cache-Control", "no-store");
  return response;
});

async function forward(c: Context<AppEnv>): Promise<Response> {
  const { method, url, headers, body, signal } = c.req.raw;
  const { pathname, searchParams } = new URL(url);
  const path = plainPath(pathname);
  const methods = path === null ? [] : methodsOf(path);
  if (methods.length === 0) return problem(c, "not-found", { detail: "Only model routes are proxied." });
  if (!methods.includes(method)) return problem(c, "method-not-allowed", { headers: { Allow: methods.join(", ") } });
  const key = keyIn(headers, searchParams);
  if (key === null) return noKey(c);

  const caller = { kind: "key", keyHash: await keyHashOf(key), address: addressOf(c) } as const;
  const check = checkInput(c, caller, null);
  const call = {
    method,
    path: `${path}${queryFor(searchParams)}`,
    headers: headersFor(key, c.get("requestId"), headers),
    body,
    signal,
  };
  return answered(c, await forwardCall({ check, call }, c.get("ports")));
}

function answered(c: Context<AppEnv>, outcome: ForwardOutcome): Response {
  switch (outcome.kind) {
    case "answered": {
      const { body, status, headers } = outcome;
      return c.newResponse(body, status as StatusCode, Object.fromEntries(headersBack(headers)));
    }
    case "verdict":
      return verdictResponse(c, outcome.verdict, outcome.keepForMs);
    case "refused_by_litellm":
      return overBudgetInLiteLlm(c, outcome.verdict, outcome.why);
    case "unknown":
      return unknownKey(c);
    case "too_many_unknown":
      return tooManyUnknown(c);
    case "unreachable":
      return dependencyUnavailable(c, "LiteLLM cannot be reached.");
  }
}

function overBudgetInLiteLlm(c: Context<AppEnv>, verdict: Verdict, why: string): Response {
  return problem(c, "budget-exceeded", {
    detail: `LiteLLM refused the call: ${why}`,
    members: {
      remediation: ["Ask an administrator to raise the budget in LiteLLM that the detail names."],
      ...verdictJson(verdict),
    },
    headers: { "Retry-After": String(RETRY_REFUSED_SECONDS) },
  });
}
