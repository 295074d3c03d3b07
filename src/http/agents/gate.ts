// Gate: `/llm/…` proxies LiteLLM's model routes for an agent whose base URL is Bursar. Reads neither body.

import { type Context, Hono } from "hono";
import type { StatusCode } from "hono/utils/http-status";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import type { State } from "../../budget/verdict.ts";
import { type ForwardOutcome, forwardCall } from "../../flows/check/forward-call.ts";
import { keyHashOf } from "../../wire/key-hash.ts";
import type { AppEnv } from "../app-env.ts";
import { noKey, tooManyUnknown, unknownKey } from "../auth.ts";
import { dependencyUnavailable, problem } from "../problem.ts";
import { callerNetwork, checkInput } from "./check-input.ts";
import { gateCors } from "./gate-cors.ts";
import { envelopeOf, headersBack, headersFor, isSpending, methodsOf, plainPath, queryFor } from "./gate-request.ts";
import { keyIn } from "./key-places.ts";
import { showsAmounts } from "./refusal.ts";
import { verdictResponse } from "./verdict-json.ts";

/** States in which an answer says how much is left. */
const NEAR_LIMIT: readonly State[] = ["warning", "grace", "blocked"];

export const gateRoutes = new Hono<AppEnv>().use("/llm/*", gateCors).all("/llm/*", async (c) => {
  const path = plainPath(new URL(c.req.url).pathname);
  c.set("envelope", envelopeOf(path, c.req.raw.headers));
  const response = await forward(c, path);
  response.headers.set("Cache-Control", "no-store");
  return response;
});

async function forward(c: Context<AppEnv>, path: string | null): Promise<Response> {
  const { method, url, headers, body, signal } = c.req.raw;
  const { searchParams } = new URL(url);
  const methods = path === null ? [] : methodsOf(path);
  if (path === null || methods.length === 0)
    return problem(c, "not-found", { detail: "Only model routes are proxied." });
  if (!methods.includes(method)) return problem(c, "method-not-allowed", { headers: { Allow: methods.join(", ") } });
  const key = keyIn(headers, searchParams);
  if (key === null) return noKey(c);

  const caller = { kind: "key", keyHash: await keyHashOf(key), network: callerNetwork(c) } as const;
  const check = checkInput(c, caller, null);
  const call = {
    // LiteLLM has no HEAD routes.
    method: method === "HEAD" ? "GET" : method,
    path: `${path}${queryFor(searchParams)}`,
    headers: headersFor(key, c.get("requestId"), headers),
    // `fetch` sends no body with these, and it would mean nothing there.
    body: method === "GET" || method === "HEAD" ? null : body,
    signal,
  };
  return answered(c, await forwardCall({ check, call, spends: isSpending(path) }, c.get("ports")));
}

function answered(c: Context<AppEnv>, outcome: ForwardOutcome): Response {
  switch (outcome.kind) {
    case "answered":
      return passedOn(c, outcome);
    case "verdict":
      return verdictResponse(c, outcome, "agent");
    case "unknown":
      return unknownKey(c);
    case "too_many_unknown":
      return tooManyUnknown(c);
    case "unreachable":
      return outcome.mayBeCharged ? brokenOff(c) : dependencyUnavailable(c, "LiteLLM cannot be reached.");
  }
}

/** SDKs repeat a 5xx by themselves, and each repetition may be charged again. */
function brokenOff(c: Context<AppEnv>): Response {
  return problem(c, "call-broken-off", {
    detail:
      "LiteLLM ended the connection before it answered. The call may have been charged: repeat it only if you mean to.",
    headers: { "x-should-retry": "false" },
  });
}

/** LiteLLM's answer, with the tenant's state and the rest of its limit in US dollars when that is near. */
function passedOn(c: Context<AppEnv>, { answer, verdict }: Extract<ForwardOutcome, { kind: "answered" }>): Response {
  const { body, status, headers } = answer;
  const isHead = c.req.method === "HEAD";
  if (isHead && body !== null) c.get("ports").background("body discard", body.cancel());
  const response = c.newResponse(isHead ? null : body, status as StatusCode, Object.fromEntries(headersBack(headers)));
  if (verdict === null || verdict.spend === null || !NEAR_LIMIT.includes(verdict.state)) return response;
  response.headers.set("X-Bursar-State", verdict.state);
  if (showsAmounts(verdict, "agent"))
    response.headers.set("X-Bursar-Remaining", decimalFromNanoUsd(verdict.spend.remainingNanoUsd));
  return response;
}
