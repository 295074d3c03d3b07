// Guard: LiteLLM asks before each call, by its Generic Guardrail API. LiteLLM treats any status but 200 as a broken
// guardrail and fails the call, so once the token is accepted Guard always answers 200, whatever breaks here.

import { type Context, Hono } from "hono";
import { type Verdict, verdictOnNothing } from "../../budget/verdict.ts";
import type { CheckOutcome } from "../../flows/check/check.ts";
import { allowsUnmanaged, checkBudget } from "../../flows/check/check-budget.ts";
import { checkInput, demandedMaxAgeMs } from "../agents/check-input.ts";
import { refusal } from "../agents/refusal.ts";
import type { AppEnv } from "../app-env.ts";
import { requireGuardrail } from "../auth.ts";
import { encodingOf } from "../content-encoding.ts";
import { type GuardRequest, guardRequestFrom } from "./guard-body.ts";

/** LiteLLM appends everything after `/litellm` to its `api_base`. */
export const GUARD_PATH = "/litellm/beta/litellm_basic_guardrail_api";

export const guardRoutes = new Hono<AppEnv>().post(GUARD_PATH, requireGuardrail, async (c) => {
  const ports = c.get("ports");
  const { log, clock } = ports;
  const guardRequest = await guardRequestFrom(c.req.raw.body);
  // The check begins now: receiving the prompt may have taken seconds.
  c.set("now", clock());
  if (guardRequest === null) {
    const fault = encodingOf(c.req.raw) === null ? "unparseable" : "encoded";
    log.warn(`${fault} guardrail request`, { request_id: c.get("requestId") });
    return answerUnchecked(c);
  }
  // The call is paid for: refusing its answer would save nothing.
  if (guardRequest.isAnswer) return allowed(c);
  const outcome = await outcomeFor(c, guardRequest);
  if (outcome.kind === "verdict" || outcome.kind === "undecided") return answer(c, outcome.verdict);
  return allowsUnmanaged(ports) ? allowed(c) : blocked(c, NOT_MANAGED);
});

async function outcomeFor(c: Context<AppEnv>, { keyHash, teamId }: GuardRequest): Promise<CheckOutcome> {
  if (keyHash === null && (teamId ?? null) === null) {
    c.get("ports").log.warn("guardrail request without key or team", { request_id: c.get("requestId") });
    return { kind: "unknown" };
  }
  // A caller that LiteLLM authenticated by JWT has a team but no key.
  const caller = { kind: "key", keyHash, network: null, ...(teamId !== undefined && { teamId }) } as const;
  return checkBudget(checkInput(c, caller, demandedMaxAgeMs(c.req.header("Cache-Control"))), c.get("ports"));
}

const NOT_MANAGED = "No tenant has this virtual key. Contact admin to add it to a tenant.";

/** The answer when the check itself failed: the deployment's fail policy decides. */
export function answerUnchecked(c: Context<AppEnv>): Response {
  // Without ports the configuration is invalid and its fail policy unknown: let the call through.
  return answer(c, verdictOnNothing(null, c.get("ports")?.policy.defaultFailPolicy ?? "open"));
}

/** The agent's developer reads the reason, so it uses the same text as Ask's refusals. */
function answer(c: Context<AppEnv>, verdict: Verdict): Response {
  return verdict.allowed ? allowed(c) : blocked(c, refusal(verdict, c.get("now"), "agent").detail);
}

const allowed = (c: Context<AppEnv>) => c.json({ action: "NONE" });

const blocked = (c: Context<AppEnv>, reason: string) => c.json({ action: "BLOCKED", blocked_reason: reason });
