// Gate: forwards a model call to LiteLLM when its tenant may spend, and learns the spend from the answer in the
// background. Forwards a call once, because LiteLLM may have charged a call whose answer was lost.

import { asOf } from "../../budget/spend.ts";
import { type Verdict, verdictOn, verdictRefusedByLiteLlm } from "../../budget/verdict.ts";
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
  /** LiteLLM's answer; `verdict` is the tenant's by then, null for an unmanaged key. */
  | { readonly kind: "answered"; readonly answer: Answered; readonly verdict: Verdict | null }
  | Extract<ModelAnswer, { kind: "unreachable" }>
  /** The call is refused, by Bursar or by LiteLLM, or the key is unmanaged and the deployment blocks those. */
  | CheckOutcome;

type Answered = Extract<ModelAnswer, { kind: "answered" }>;

export async function forwardCall({ check, call }: ForwardInput, deps: ForwardDeps): Promise<ForwardOutcome> {
  // Where unmanaged keys may pass they are no guesses, so their address must not rate-limit the tenants behind it.
  const caller = allowsUnmanaged(deps) ? { ...check.caller, address: null } : check.caller;
  const checked = await checkBudget({ ...check, caller }, deps);
  const isKnown = checked.kind === "verdict";
  if (isKnown ? !checked.verdict.allowed : !allowsUnmanaged(deps)) return checked;

  const answer = await deps.modelCalls.forward(call);
  const tenantId = isKnown ? checked.verdict.tenantId : null;
  if (answer.kind === "unreachable") deps.log.warn("model call failed", { tenant_id: tenantId, why: answer.why });
  const { keyHash } = check.caller;
  if (tenantId !== null) learnFromCall({ tenantId, keyHash, method: call.method }, answer, deps);
  if (answer.kind === "unreachable") return answer;
  const verdict = isKnown ? verdictByNow(checked.verdict, deps) : null;
  if (verdict === null || !answer.isBudgetRefusal) return { kind: "answered", answer, verdict };
  return refusedByLiteLlm(answer, verdict, deps);
}

/** The verdict on what this isolate knows by now. An answer may come minutes after the check, and has taught it. */
function verdictByNow(checked: Verdict, { memory, clock }: ForwardDeps): Verdict {
  const { config, spend } = (checked.tenantId !== null && memory.tenant(checked.tenantId)) || NOTHING;
  if (config === null || spend === null) return checked;
  // The check could not read LiteLLM, and weighed this spend: it may be of an ended period.
  if (checked.degraded && checked.spend !== null && asOf(spend) <= checked.spend.asOf) return checked;
  return verdictOn(config, spend, clock(), "cache");
}

const NOTHING = { config: null, spend: null };

/** LiteLLM's refusal counts as Bursar's own if Bursar refuses by now too; otherwise the reason lies in LiteLLM. */
function refusedByLiteLlm({ status, body }: Answered, verdict: Verdict, deps: ForwardDeps): CheckOutcome {
  if (body !== null) deps.background("litellm refusal discard", body.cancel());
  const refused = verdict.allowed ? verdictRefusedByLiteLlm(verdict) : verdict;
  const { tenantId, state, reason } = refused;
  deps.log.warn("call refused by litellm", { tenant_id: tenantId, status, state, reason });
  return { kind: "verdict", verdict: refused, keepForMs: 0 };
}
