// Gate: a model call goes on to LiteLLM if its tenant may spend, and what the answer tells of the spend is learned behind
// it. A call is sent once: whoever gets no answer may have been charged all the same.

import { type Verdict, verdictRefusedByLiteLlm } from "../../budget/verdict.ts";
import type { ModelAnswer, ModelCall, Ports } from "../../ports/ports.ts";
import {
  allowsUnmanaged,
  type CheckDeps,
  type CheckInput,
  type CheckOutcome,
  checkBudget,
  type KeyCaller,
} from "./check-budget.ts";
import { learnFromCall } from "./learn-from-call.ts";

/** The clock: what an answer shows was seen when the answer came, long after the check. */
export type ForwardDeps = CheckDeps & Pick<Ports, "modelCalls" | "clock">;

export interface ForwardInput {
  readonly check: CheckInput & { readonly caller: KeyCaller };
  readonly call: ModelCall;
}

export type ForwardOutcome =
  | ModelAnswer
  /** A verdict that refuses; or a key that is no tenant's, where such keys are blocked. */
  | CheckOutcome
  /** A tenant that Bursar would have let through; `why` is LiteLLM's own words. */
  | { readonly kind: "refused_by_litellm"; readonly verdict: Verdict; readonly why: string };

export async function forwardCall({ check, call }: ForwardInput, deps: ForwardDeps): Promise<ForwardOutcome> {
  // Where unmanaged keys may pass they are no guesses, and whoever stands among many of them must be checked all the same.
  const caller = allowsUnmanaged(deps) ? { ...check.caller, address: null } : check.caller;
  const checked = await checkBudget({ ...check, caller }, deps);
  const isKnown = checked.kind === "verdict";
  if (isKnown ? !checked.verdict.allowed : !allowsUnmanaged(deps)) return checked;

  const answer = await deps.modelCalls.forward(call);
  const tenantId = isKnown ? checked.verdict.tenantId : null;
  if (answer.kind === "unreachable") deps.log.warn("model call failed", { tenant_id: tenantId, why: answer.why });
  if (!isKnown) return answer;
  const { keyHash } = check.caller;
  if (tenantId !== null) learnFromCall({ tenantId, keyHash, method: call.method, begunAt: check.now }, answer, deps);
  if (answer.kind === "unreachable" || answer.budgetRefusal === null) return answer;
  if (answer.body !== null) deps.background("drop LiteLLM's refusal", answer.body.cancel());
  return { kind: "refused_by_litellm", verdict: verdictRefusedByLiteLlm(checked.verdict), why: answer.budgetRefusal };
}
