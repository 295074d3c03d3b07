// What every door gives to the one flow that checks: who asks, how fresh the figure must be, where and when.

import type { Context } from "hono";
import type { Caller, CheckInput } from "../../flows/check/check-budget.ts";
import type { AppEnv } from "../app-env.ts";

/** As of the request's `now`. `demandedMaxAgeMs`: null without a wish. */
export function checkInput<C extends Caller>(c: Context<AppEnv>, caller: C, demandedMaxAgeMs: number | null) {
  const input = { caller, demandedMaxAgeMs, colo: coloOf(c.req.raw), now: c.get("now"), random: Math.random() };
  return input satisfies CheckInput;
}

/** A caller's wish in its `Cache-Control`: `no-cache` is 0, `max-age=N` is N seconds; anything else is no wish. */
export function demandedMaxAgeMs(cacheControl: string | undefined): number | null {
  const directives = (cacheControl ?? "")
    .toLowerCase()
    .split(",")
    .map((directive) => directive.trim());
  if (directives.includes("no-cache") || directives.includes("no-store")) return 0;
  const ages = directives.flatMap((directive) => /^max-age="?(\d{1,9})"?$/.exec(directive)?.[1] ?? []);
  return ages.length === 0 ? null : Math.min(...ages.map(Number)) * 1_000;
}

/** The address that the request came from. */
export function addressOf(c: Context<AppEnv>): string {
  return c.req.header("CF-Connecting-IP") ?? "unknown";
}

function coloOf(request: Request): string {
  const { cf } = request as Request & { cf?: { colo?: unknown } };
  return typeof cf?.colo === "string" ? cf.colo : "local";
}
