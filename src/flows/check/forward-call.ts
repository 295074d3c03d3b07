// Gate: forwards a model call to LiteLLM when its tenant may spend, and learns the spend from the answer in the
// background. Forwards a call once, because LiteLLM may have charged a call whose answer was lost.

import { asOf } from "../../budget/spend.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import { type Verdict, verdictOn, verdictRefusedByLiteLlm } from "../../budget/verdict.ts";
import type { ModelAnswer, ModelCall, Ports } from "../../ports/ports.ts";
import type { CheckDeps, CheckInput, CheckOutcome, KeyCaller } from "./check.ts";
import { allowsUnmanaged, checkBudget } from "./check-budget.ts";
import { learnFromCall } from "./learn-from-call.ts";

/** Needs the clock, because the answer arrives long after the check. */
export type ForwardDeps = CheckDeps & Pick<Ports, "modelCalls" | "clock">;

export interface ForwardInput {
  readonly check: CheckInput & { readonly caller: KeyCaller & { readonly keyHash: KeyHash } };
  readonly call: ModelCall;
  /** Whether the call runs a model. Only then a budget refuses it. */
  readonly spends: boolean;
}

export type ForwardOutcome =
  /** LiteLLM's answer; `verdict` is the tenant's by then, null for an unmanaged key. */
  | { readonly kind: "answered"; readonly answer: Answered; readonly verdict: Verdict | null }
  /** LiteLLM did not answer; the call may be charged unless it certainly did not arrive, or spends nothing. */
  | { readonly kind: "unreachable"; readonly mayBeCharged: boolean }
  /** The call is refused, by Bursar or by LiteLLM, or the key is unmanaged and the deployment blocks those. */
  | Exclude<CheckOutcome, { kind: "undecided" }>;

type Answered = Extract<ModelAnswer, { kind: "answered" }>;

export async function forwardCall({ check, call, spends }: ForwardInput, deps: ForwardDeps): Promise<ForwardOutcome> {
  const outcome = await checkBudget(check, deps);
  const checked = outcome.kind === "undecided" ? ({ ...outcome, kind: "verdict", keepForMs: 0 } as const) : outcome;
  const isKnown = checked.kind === "verdict";
  const mayPass = isKnown ? !isRefused(checked.verdict, spends) : checked.kind === "unknown" && allowsUnmanaged(deps);
  if (!mayPass) return checked;

  const tenantId = isKnown ? checked.verdict.tenantId : null;
  const tenantIds = tenantId === null ? [] : [tenantId, ...otherTenantsOf(check, tenantId, deps)];
  const answer = await deps.modelCalls.forward(call);
  if (answer.kind === "unreachable") deps.log.warn("model call failed", { tenant_id: tenantId, why: answer.why });
  const { keyHash } = check.caller;
  if (spends) for (const payer of tenantIds) learnFromCall({ tenantId: payer, keyHash }, answer, deps);
  if (answer.kind === "unreachable") return { kind: "unreachable", mayBeCharged: answer.mayHaveArrived && spends };
  // Without a tenant LiteLLM's refusal is its own: the key is unmanaged, or the stores could not tell.
  const verdict = isKnown && tenantId !== null ? verdictByNow(checked.verdict, deps) : null;
  if (verdict === null || !answer.isBudgetRefusal) return { kind: "answered", answer, verdict };
  return refusedByLiteLlm(answer, verdict, deps);
}

/** A key's own tenant and its team's each pay for its calls; the check names the one with the stricter verdict. */
function otherTenantsOf({ caller, now }: ForwardInput["check"], tenantId: TenantId, { memory }: ForwardDeps) {
  const teamId = memory.teamOf(caller.keyHash);
  const callers = teamId === null ? [] : [caller.keyHash, `team:${teamId}` as const];
  return callers.flatMap((one) => memory.tenantOf(one, now) ?? []).filter((other) => other !== tenantId);
}

/** A suspension refuses everything. A budget refuses what spends: cancelling and counting tokens save money. */
function isRefused({ allowed, reason }: Verdict, spends: boolean): boolean {
  return !allowed && (spends || reason === "suspended");
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
function refusedByLiteLlm(
  { status, body }: Answered,
  verdict: Verdict,
  deps: ForwardDeps,
): Extract<CheckOutcome, { kind: "verdict" }> {
  if (body !== null) deps.background("litellm refusal discard", body.cancel());
  const refused = verdict.allowed ? verdictRefusedByLiteLlm(verdict) : verdict;
  const { tenantId, state, reason } = refused;
  deps.log.warn("call refused by litellm", { tenant_id: tenantId, status, state, reason });
  return { kind: "verdict", verdict: refused, keepForMs: 0 };
}
