// Guard: LiteLLM itself asks before each call, by its Generic Guardrail API. To LiteLLM anything but a 200 is a broken
// guardrail and fails the call, so that is all it ever hears once it has shown its token, whatever breaks here.

import { type Context, Hono } from "hono";
import type { KeyHash } from "../../budget/tenant.ts";
import { type Verdict, verdictOnNothing } from "../../budget/verdict.ts";
import { allowsUnmanaged, type CheckOutcome, checkBudget } from "../../flows/check/check-budget.ts";
import { checkInput, demandedMaxAgeMs } from "../agents/check-input.ts";
import { refusal } from "../agents/verdict-json.ts";
import type { AppEnv } from "../app-env.ts";
import { requireGuardrail, sha256Hex } from "../auth.ts";
import { type Question, questionFrom } from "./guard-body.ts";

/** LiteLLM appends all but the first part to its `api_base`. */
export const GUARD_PATH = "/litellm/beta/litellm_basic_guardrail_api";

export const guardRoutes = new Hono<AppEnv>().post(GUARD_PATH, requireGuardrail, async (c) => {
  const ports = c.get("ports");
  const { log, clock } = ports;
  const question = await questionFrom(c.req.raw.body);
  // The check begins now; the prompt may have been on its way for seconds.
  c.set("now", clock());
  if (question === null) {
    log.warn("guardrail question not understood", { request_id: c.get("requestId") });
    return answerUnchecked(c);
  }
  const outcome = await outcomeFor(c, question);
  if (outcome.kind === "verdict") return answer(c, outcome.verdict);
  return allowsUnmanaged(ports) ? allowed(c) : blocked(c, NOT_MANAGED);
});

async function outcomeFor(c: Context<AppEnv>, { keyHash, teamId }: Question): Promise<CheckOutcome> {
  if (keyHash === null && teamId === null) {
    c.get("ports").log.warn("guardrail question names nobody", { request_id: c.get("requestId") });
    return { kind: "unknown" };
  }
  // Callers without a key (LiteLLM knows them by a JWT) can be of a team: where a key is remembered this stands for it.
  const hash = keyHash ?? (await sha256Hex(`team ${teamId}`));
  const caller = { kind: "key", keyHash: hash as KeyHash, address: null, teamId } as const;
  return checkBudget(checkInput(c, caller, demandedMaxAgeMs(c.req.header("Cache-Control"))), c.get("ports"));
}

const NOT_MANAGED = "No tenant has this virtual key. Contact admin to have it added to one.";

/** What is answered when nothing could be checked: by the deployment's fail policy, as of a tenant without its own. */
export function answerUnchecked(c: Context<AppEnv>): Response {
  // Without ports the configuration is broken, and nobody knows what it wants.
  return answer(c, verdictOnNothing(null, c.get("ports")?.policy.defaultFailPolicy ?? "open"));
}

/** The reason is for the agent's developer, so it has the words of the refusals of Ask. */
function answer(c: Context<AppEnv>, verdict: Verdict): Response {
  return verdict.allowed ? allowed(c) : blocked(c, refusal(verdict, c.get("now")).detail);
}

const allowed = (c: Context<AppEnv>) => c.json({ action: "NONE" });

const blocked = (c: Context<AppEnv>, reason: string) => c.json({ action: "BLOCKED", blocked_reason: reason });
