// Alerts the operators that LiteLLM shows much less spend than before within a period: someone changed it, or a call
// was priced below zero. Once a day for a tenant, and of many only some; the audit has every fall.

import { isLargeFall } from "../../budget/counting.ts";
import type { Instant } from "../../budget/instant.ts";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import { type RecordConditionsDeps, recordConditions } from "../alerts/alert-platform.ts";
import type { Observed } from "../counting/observe.ts";

/** More of them at once have one cause. */
const MAX_AT_ONCE = 5;

/** @throws when Postgres or the queue cannot be reached. */
export async function reportFalls(
  observed: readonly Pick<Observed, "tenant" | "fall">[],
  now: Instant,
  deps: RecordConditionsDeps,
): Promise<void> {
  const large = observed.flatMap(({ tenant: { config }, fall }) =>
    fall !== null && isLargeFall(fall, config, now) ? [{ tenantId: config.tenantId, fall }] : [],
  );
  if (large.length === 0) return;
  const conditions = large.slice(0, MAX_AT_ONCE).map(({ tenantId, fall }) => ({
    kind: "spend_fell" as const,
    detail: {
      tenant_id: tenantId,
      spend_before: decimalFromNanoUsd(fall.fromNanoUsd),
      spend_after: decimalFromNanoUsd(fall.toNanoUsd),
    },
  }));
  await recordConditions(conditions, now, deps);
}
