// Gate: `/llm/…`, LiteLLM's model routes for an agent whose base URL is Bursar. Reads no body, in neither direction.

import { type Context, Hono } from "hono";
import type { StatusCode } from "hono/utils/http-status";
import type { Verdict } from "../budget/verdict.ts";
import { type ForwardOutcome, forwardCall } from "../flows/forward-call.ts";
import type { AppEnv } from "./app-env.ts";
import { keyHashOf } from "./auth.ts";
import { addressOf, coloOf, tooManyUnknown, unauthorized } from "./budget.ts";
import { headersBack, headersFor, keyIn, methodsOf, plainPath, queryFor } from "./gate-request.ts";
import { problem } from "./problem.ts";
import { verdictJson, verdictResponse } from "./verdict-json.ts";

/** LiteLLM may refuse by what its memory has held for up to a minute; the read that follows says more. */
const RETRY_REFUSED_SECONDS = 30;
/** A connection comes back sooner or later. */
const RETRY_UNREACHABLE_SECONDS = 5;

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
  if (methods.length === 0) return problem(c, "not-found", { detail: "Gate passes on calls of models only." });
  if (!methods.includes(method)) return problem(c, "method-not-allowed", { headers: { Allow: methods.join(", ") } });
  const key = keyIn(headers, searchParams);
  if (key === null) return unauthorized(c, "unauthorized", "Send the LiteLLM virtual key as a bearer token.");

  // Calls that Bursar lets through unchecked are not guesses: they are counted apart from those of Ask.
  const caller = { kind: "key", keyHash: await keyHashOf(key), address: `gate:${addressOf(c)}` } as const;
  const check = { caller, demandedMaxAgeMs: null, colo: coloOf(c.req.raw), now: c.get("now"), random: Math.random() };
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
      return refusedByLiteLlm(c, outcome.verdict, outcome.why);
    case "unknown":
      return unauthorized(c, "unknown-key", "No tenant has this virtual key.");
    case "too_many_unknown":
      return tooManyUnknown(c);
    case "unreachable":
      return problem(c, "dependency-unavailable", {
        detail: "LiteLLM cannot be reached.",
        headers: { "Retry-After": String(RETRY_UNREACHABLE_SECONDS) },
      });
  }
}

/** The figures are what Bursar knows; that they are too much is LiteLLM's word. */
function refusedByLiteLlm(c: Context<AppEnv>, verdict: Verdict, why: string): Response {
  return problem(c, "budget-exceeded", {
    detail: `LiteLLM refuses the call: ${why}`,
    members: {
      remediation: ["Ask an administrator which budget in LiteLLM is exceeded, and to raise it."],
      ...verdictJson({ ...verdict, allowed: false, state: "blocked", reason: "over_grace" }),
    },
    headers: { "Retry-After": String(RETRY_REFUSED_SECONDS) },
  });
}
