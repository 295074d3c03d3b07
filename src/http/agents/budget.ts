// Ask: `GET /v1/budget` for an agent with its virtual key, `GET /v1/tenants/{id}/check` for an orchestrator.

import { type Context, Hono } from "hono";
import type { Caller, CheckOutcome } from "../../flows/check/check.ts";
import { checkBudget } from "../../flows/check/check-budget.ts";
import { keyHashOf } from "../../wire/key-hash.ts";
import type { AppEnv } from "../app-env.ts";
import { noKey, requireRead, tooManyUnknown, unknownKey } from "../auth.ts";
import { noSuchTenant, problem } from "../problem.ts";
import { tenantIdFrom } from "../tenant-id.ts";
import { callerNetwork, checkInput, demandedMaxAgeMs } from "./check-input.ts";
import { keyIn } from "./key-places.ts";
import type { Reader } from "./refusal.ts";
import { verdictResponse } from "./verdict-json.ts";

export const budgetRoutes = new Hono<AppEnv>()
  .get("/v1/budget", async (c) => {
    const key = keyIn(c.req.raw.headers, new URL(c.req.url).searchParams);
    if (key === null) return noKey(c);
    const outcome = await check(c, { kind: "key", keyHash: await keyHashOf(key), network: callerNetwork(c) });
    if (outcome.kind === "unknown") return unknownKey(c);
    return answered(c, outcome, "agent");
  })
  .get("/v1/tenants/:id/check", requireRead, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    const outcome = tenantId === null ? ({ kind: "unknown" } as const) : await check(c, { kind: "tenant", tenantId });
    if (outcome.kind === "unknown") return noSuchTenant(c);
    return answered(c, outcome, "operator");
  });

const LOOK_UP_SLOW = "The look-up goes on and its result will be remembered. Try again in a second.";

function check(c: Context<AppEnv>, caller: Caller): Promise<CheckOutcome> {
  return checkBudget(checkInput(c, caller, demandedMaxAgeMs(c.req.header("Cache-Control"))), c.get("ports"));
}

function answered(c: Context<AppEnv>, outcome: Exclude<CheckOutcome, { kind: "unknown" }>, reader: Reader): Response {
  switch (outcome.kind) {
    case "verdict":
      return verdictResponse(c, outcome, reader);
    case "too_many_unknown":
      return tooManyUnknown(c);
    case "undecided":
      return problem(c, "look-up-slow", { detail: LOOK_UP_SLOW, headers: { "Retry-After": "1" } });
  }
}
