// Which newer alert makes an older one of the same tenant untrue or pointless, while its notice still waits. A reader
// never hears that a tenant is blocked after its block was resolved. Decides only.

import type { AlertEventType } from "../alert.ts";

/** `newer` supersedes `older`. */
export interface Superseding {
  readonly older: AlertEventType;
  readonly newer: AlertEventType;
  /** `limit`: only under another limit or in another period. `override`: only of the same override. */
  readonly only: "limit" | "override" | null;
}

/** Thresholds from the lowest to the highest. */
const LEVELS = ["threshold_crossed", "budget_crossed", "budget_blocked"] as const;

export const SUPERSEDINGS: readonly Superseding[] = [
  ...LEVELS.flatMap((older, level) => [
    ...LEVELS.slice(level).map((newer) => ({ older, newer, only: null })),
    { older, newer: "budget_resolved", only: null } as const,
  ]),
  // Within a period and a limit a lower threshold that is newer is a repetition; a block ends with its resolution only.
  { older: "budget_crossed", newer: "threshold_crossed", only: "limit" },
  { older: "budget_resolved", newer: "budget_blocked", only: null },
  { older: "budget_resolved", newer: "budget_resolved", only: null },
  ...(["tenant_suspended", "tenant_resumed"] as const).flatMap((older) => [
    { older, newer: "tenant_suspended", only: null } as const,
    { older, newer: "tenant_resumed", only: null } as const,
  ]),
  { older: "override_granted", newer: "override_ended", only: "override" },
];
