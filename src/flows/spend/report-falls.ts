// Alerts the operators that LiteLLM shows much less spend than before within a period: someone changed it, or a call
// was priced below zero. At most once a day; the audit has every fall.

import { isLargeFall } from "../../budget/counting.ts";
import type { Instant } from "../../budget/instant.ts";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import { type RecordConditionsDeps, recordConditions } from "../alerts/alert-platform.ts";
import type { Observed } from "../counting/observe.ts";

/** @throws when Postgres or the queue cannot be reached. */
export async function reportFalls(
  observed: readonly Pick<Observed, "tenant" | "fall">[],
  now: Instant,
  deps: RecordConditionsDeps,
): Promise<void> {
  const large = observed.flatMap(({ tenant: { config }, fall }) =>
    fall !== null && isLargeFall(fall, config, now) ? [{ tenantId: config.tenantId, fall }] : [],
  );
  const [first] = large;
  if (first === undefined) return;
  const detail = {
    tenants: large.length,
    tenant_id: first.tenantId,
    spend_before: decimalFromNanoUsd(first.fall.fromNanoUsd),
    spend_after: decimalFromNanoUsd(first.fall.toNanoUsd),
  };
  await recordConditions([{ kind: "spend_fell", detail }], now, deps);
}
