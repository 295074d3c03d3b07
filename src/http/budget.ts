// Ask: `GET /v1/budget` for an agent with its virtual key, `GET /v1/tenants/{id}/check` for an orchestrator.

import { type Context, Hono } from "hono";
import { type Caller, type CheckOutcome, checkBudget } from "../flows/check-budget.ts";
import type { AppEnv } from "./app-env.ts";
import { bearerOf, keyHashOf, requireRead } from "./auth.ts";
import { problem } from "./problem.ts";
import { tenantIdFrom } from "./tenant-id.ts";
import { verdictResponse } from "./verdict-json.ts";

/** How long an address that asks for unknown keys should stay away; the window of the rate limit. */
const RETRY_UNKNOWN_KEYS_SECONDS = 60;

export const budgetRoutes = new Hono<AppEnv>()
  .get("/v1/budget", async (c) => {
    const key = bearerOf(c.req.header("Authorization"));
    if (key === null) return unauthorized(c, "unauthorized", "Send the LiteLLM virtual key as a bearer token.");
    const outcome = await check(c, { kind: "key", keyHash: await keyHashOf(key), address: addressOf(c) });
    if (outcome.kind === "unknown") return unauthorized(c, "unknown-key", "No tenant has this virtual key.");
    return answered(c, outcome);
  })
  .get("/v1/tenants/:id/check", requireRead, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    const outcome = tenantId === null ? ({ kind: "unknown" } as const) : await check(c, { kind: "tenant", tenantId });
    if (outcome.kind === "unknown") return problem(c, "not-found", { detail: "There is no such tenant." });
    return answered(c, outcome);
  });

/** Asks the one flow as of the request's `now`. */
export function check(c: Context<AppEnv>, caller: Caller): Promise<CheckOutcome> {
  const input = {
    caller,
    demandedMaxAgeMs: demandedMaxAgeMs(c.req.header("Cache-Control")),
    colo: coloOf(c.req.raw),
    now: c.get("now"),
    random: Math.random(),
  };
  return checkBudget(input, c.get("ports"));
}

function answered(c: Context<AppEnv>, outcome: Exclude<CheckOutcome, { kind: "unknown" }>): Response {
  if (outcome.kind === "verdict") return verdictResponse(c, outcome.verdict, outcome.keepForMs);
  return tooManyUnknown(c);
}

export function tooManyUnknown(c: Context<AppEnv>): Response {
  return problem(c, "too-many-requests", {
    detail: "Too many unknown virtual keys came from this address.",
    headers: { "Retry-After": String(RETRY_UNKNOWN_KEYS_SECONDS) },
  });
}

export function unauthorized(c: Context<AppEnv>, type: "unauthorized" | "unknown-key", detail: string): Response {
  return problem(c, type, { detail, headers: { "WWW-Authenticate": 'Bearer realm="bursar"' } });
}

/** `no-cache` is 0, `max-age=N` is N seconds; anything else is no wish. */
export function demandedMaxAgeMs(cacheControl: string | undefined): number | null {
  const directives = (cacheControl ?? "")
    .toLowerCase()
    .split(",")
    .map((directive) => directive.trim());
  if (directives.includes("no-cache") || directives.includes("no-store")) return 0;
  const ages = directives.flatMap((directive) => /^max-age="?(\d{1,9})"?$/.exec(directive)?.[1] ?? []);
  return ages.length === 0 ? null : Math.min(...ages.map(Number)) * 1_000;
}

export function addressOf(c: Context<AppEnv>): string {
  return c.req.header("CF-Connecting-IP") ?? "unknown";
}

export function coloOf(request: Request): string {
  const { cf } = request as Request & { cf?: { colo?: unknown } };
  return typeof cf?.colo === "string" ? cf.colo : "local";
}
