// Gate: forwards a model call to LiteLLM when its tenant may spend, and learns the spend from the answer in the
// background. Forwards a call once, because LiteLLM may have charged a call whose answer was lost.

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

/** Needs the clock, because the answer arrives long after the check. */
export type ForwardDeps = CheckDeps & Pick<Ports, "modelCalls" | "clock">;

export interface ForwardInput {
  readonly check: CheckInput & { readonly caller: KeyCaller };
  readonly call: ModelCall;
}

export type ForwardOutcome =
  | ModelAnswer
  /** The verdict refuses, or the key is unmanaged and the deployment blocks unmanaged keys. */
  | CheckOutcome
  /** Bursar allowed the call and LiteLLM refused it; `why` is LiteLLM's message. */
  | { readonly kind: "refused_by_litellm"; readonly verdict: Verdict; readonly why: string };

export async function forwardCall({ check, call }: ForwardInput, deps: ForwardDeps): Promise<ForwardOutcome> {
  // Where unmanaged keys may pass they are no guesses, so their address must not rate-limit the tenants behind it.
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
  if (answer.body !== null) deps.background("litellm refusal discard", answer.body.cancel());
  return { kind: "refused_by_litellm", verdict: verdictRefusedByLiteLlm(checked.verdict), why: answer.budgetRefusal };
}
