// The answers of a check that could not read what it needed: from LiteLLM alone, from what is remembered, or by the
// fail policy. Each of them is a line of the log. Fails open for an outage only, never for slowness.

import { failPolicyAt } from "../../budget/failure.ts";
import type { Instant } from "../../budget/instant.ts";
import type { TenantConfig } from "../../budget/tenant.ts";
import { type Verdict, verdictOnNothing, verdictWithoutRead } from "../../budget/verdict.ts";
import type { ConfiguredTenant } from "../edge/cached-tenant.ts";
import { findOutage } from "../litellm/outage.ts";
import { storeTimeoutMs, valueOrNull } from "../waiting.ts";
import type { Check, CheckDeps, CheckInput, CheckOutcome, Inference, Unfound } from "./check.ts";
import { inferVerdictFromLiteLlm } from "./degraded-check.ts";

/** A check may need the outage note after its deadline: 100 ms plus this stay within the promised 110 ms. */
const OUTAGE_TIMEOUT_MS = 8;

/**
 * Asks LiteLLM alone when KV and Postgres have taken their shares of the deadline, or `start` is called. By then a
 * caller above the ceiling on look-ups has its refusal.
 */
export function inferLater({ caller, now }: CheckInput, deps: CheckDeps): Inference {
  const timer = deps.timers.after(2 * storeTimeoutMs(deps));
  const started = Promise.withResolvers<void>();
  void timer.passed.then(() => started.resolve());
  const infer = async () => {
    if (caller.kind === "tenant") return "no_answer";
    await started.promise;
    return inferVerdictFromLiteLlm({ keyHash: caller.keyHash, teamId: caller.teamId, now }, deps);
  };
  return { verdict: infer(), start: started.resolve, cancel: timer.cancel };
}

/** Neither KV nor Postgres has found the caller's tenant in time. For a key, LiteLLM alone can still give a verdict. */
export async function answerUnfound({ kind, tenantId }: Unfound, check: Check, deps: CheckDeps): Promise<CheckOutcome> {
  const { inference, deadline, now } = check;
  if (kind === "unreachable") inference.start();
  const inferred = await Promise.race([inference.verdict, deadline]);
  if (inferred === "unknown_key") return { kind: "unknown" };
  if (typeof inferred !== "string") return degraded(inferred, "config unreachable", deps);
  const isOutage = kind === "unreachable" || deps.memory.hasStoreFailed(now);
  const policy = await policyNow(null, findOutage(check, deps), check, deps);
  const answered = degraded(verdictOnNothing(tenantId, policy), isOutage ? "nothing known" : "stores too slow", deps);
  return isOutage ? answered : { kind: "undecided", verdict: answered.verdict };
}

/** A read was due and failed, or LiteLLM has no such subject. Fails open or closed by the tenant's policy. */
export async function answerWithoutRead(
  { config, spend }: ConfiguredTenant,
  why: string,
  input: CheckInput,
  deps: CheckDeps,
  note = findOutage(input, deps),
): Promise<Extract<CheckOutcome, { kind: "verdict" }>> {
  const policy = await policyNow(config, note, input, deps);
  return degraded(verdictWithoutRead(config, spend, input.now, policy), why, deps);
}

async function policyNow(
  config: TenantConfig | null,
  note: Promise<Instant | null>,
  { now }: CheckInput,
  deps: CheckDeps,
) {
  const { defaultFailPolicy, failOpenMinutes } = deps.policy;
  const outageStartedAt = await valueOrNull("outage read", note, OUTAGE_TIMEOUT_MS, deps);
  return failPolicyAt({ config, defaultPolicy: defaultFailPolicy, failOpenMinutes, outageStartedAt, now });
}

function degraded(verdict: Verdict, why: string, deps: CheckDeps): Extract<CheckOutcome, { kind: "verdict" }> {
  const { tenantId, allowed, state, source } = verdict;
  deps.log.warn("degraded answer", { tenant_id: tenantId, allowed, state, source, why });
  return { kind: "verdict", verdict, keepForMs: 0 };
}
