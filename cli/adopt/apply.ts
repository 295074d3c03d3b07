// Adopts the tenants of a plan, a few at a time. After an interruption the next run plans again and skips those that
// are already adopted.

import pMap from "p-map";
import type { Enforcement } from "../../src/budget/tenant.ts";
import { type Adopted, adopt } from "./bursar-admin.ts";
import type { Adoption, PlanRow } from "./plan.ts";
import type { Api } from "./polite-api.ts";

/** `not_begun`: the operator interrupted the run first. */
export type Outcome = Adopted | { readonly kind: "not_begun" };

/** Each adoption costs two or three calls to LiteLLM, which serves agents at the same time. */
const AT_ONCE = 4;

interface ApplyInput {
  readonly adoptions: readonly Adoption[];
  readonly enforcement: Enforcement;
  /** After an abort no further adoption starts, and those that have started finish. */
  readonly signal: AbortSignal;
  readonly onOutcome: (row: PlanRow, outcome: Outcome) => void;
}

/** Returns the outcome of each adoption. A failed adoption is an outcome and does not throw. */
export async function applyPlan(
  { adoptions, enforcement, signal, onOutcome }: ApplyInput,
  bursar: Api,
): Promise<ReadonlyMap<PlanRow, Outcome>> {
  const outcomes = new Map<PlanRow, Outcome>();
  await pMap(
    adoptions,
    async (row) => {
      const { tenantId, candidate } = row;
      const outcome: Outcome = signal.aborted
        ? { kind: "not_begun" }
        : await adopt({ tenantId, subject: candidate.subject, enforcement }, bursar);
      outcomes.set(row, outcome);
      onOutcome(row, outcome);
    },
    { concurrency: AT_ONCE },
  );
  return outcomes;
}
