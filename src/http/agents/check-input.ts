// The input of `checkBudget`, the same for Ask, Guard and Gate: the caller, the demanded freshness, the colo, the
// instant.

import type { Context } from "hono";
import type { Caller, CheckInput } from "../../flows/check/check.ts";
import { networkOf } from "../../wire/network.ts";
import type { AppEnv } from "../app-env.ts";

/** As of the request's `now`. `demandedMaxAgeMs`: null when the caller demands no freshness. */
export function checkInput<C extends Caller>(c: Context<AppEnv>, caller: C, demandedMaxAgeMs: number | null) {
  const input = { caller, demandedMaxAgeMs, colo: coloOf(c.req.raw), now: c.get("now"), random: Math.random() };
  return input satisfies CheckInput;
}

/** The freshness that `Cache-Control` demands: `no-cache` is 0, `max-age=N` is N seconds, anything else is null. */
export function demandedMaxAgeMs(cacheControl: string | undefined): number | null {
  const directives = (cacheControl ?? "")
    .toLowerCase()
    .split(",")
    .map((directive) => directive.trim());
  if (directives.includes("no-cache") || directives.includes("no-store")) return 0;
  const ages = directives.flatMap((directive) => /^max-age="?(\d{1,9})"?$/.exec(directive)?.[1] ?? []);
  return ages.length === 0 ? null : Math.min(...ages.map(Number)) * 1_000;
}

/** The network of the caller's IP address. */
export function callerNetwork(c: Context<AppEnv>): string {
  return networkOf(c.req.header("CF-Connecting-IP") ?? "unknown");
}

function coloOf(request: Request): string {
  const { cf } = request as Request & { cf?: { colo?: unknown } };
  return typeof cf?.colo === "string" ? cf.colo : "local";
}
