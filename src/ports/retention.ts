// What the sweep deletes by age. Types only.

import type { Instant } from "../budget/instant.ts";

/** The kinds of rows that have an end. `reports`: the identities of counted webhooks. */
export type Purged =
  | "audit_lines"
  | "alerts"
  | "platform_alerts"
  | "deliveries"
  | "dead_letters"
  | "counted_webhooks"
  | "deleted_tenants";

/** `from` null: however old. */
export interface Age {
  readonly from: Instant | null;
  readonly before: Instant;
}

export interface Retention {
  /**
   * Deletes at most `limit` rows of that age, the oldest first, and returns how many. Skips rows that another statement
   * has locked. Of alerts it leaves those of a running period, and the last block or end of a block of each tenant:
   * what new alerts are compared with. Of deleted tenants it leaves those that LiteLLM has not released; the others go
   * with everything that refers to them, except their lines in the audit.
   */
  purge(what: Purged, age: Age, limit: number): Promise<number>;
}
