// LiteLLM's row of a key or a team, the fields that Bursar writes to it, and LiteLLM's failures. Types only.

import type { Instant } from "../budget/instant.ts";
import type { NanoUsd } from "../budget/money.ts";
import type { KeyHash, Subject } from "../budget/tenant.ts";

export type LiteLlmFailure =
  /** No usable answer: time-out, network error, 5xx, 429, unparseable answer, or open breaker. */
  | {
      readonly kind: "unreachable";
      readonly why: string;
      /** The route does not exist: LiteLLM has another version, or the address is wrong. */
      readonly lacksRoute?: true;
      /** LiteLLM answered, and Bursar cannot parse the answer. */
      readonly isUnparseable?: true;
    }
  | { readonly kind: "not_found" }
  /** LiteLLM rejected the request. `param` is the field that it names. */
  | { readonly kind: "refused"; readonly status: number; readonly param: string | null; readonly message: string };

/** The fields of a key or team row that Bursar can set. */
export interface LiteLlmFields {
  readonly maxBudgetNanoUsd: NanoUsd | null;
  readonly softBudgetNanoUsd: NanoUsd | null;
  readonly budgetDuration: string | null;
  /** Replaces LiteLLM's metadata, so it must include the existing entries. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Whether LiteLLM refuses every call of the key, or of the team's keys. */
  readonly blocked: boolean;
}

/**
 * The fields of a key or team row that Bursar reads. A key without limits of its own has those of its budget object.
 */
export interface LiteLlmRow extends LiteLlmFields {
  readonly subject: Subject;
  /** The row's own limits: Bursar can change and restore them without touching a shared budget object. */
  readonly own: Pick<LiteLlmFields, "maxBudgetNanoUsd" | "budgetDuration">;
  readonly spendNanoUsd: NanoUsd;
  /** How much of `spendNanoUsd` the tenant's other keys have spent, and those removed in the period. */
  readonly othersNanoUsd: NanoUsd;
  /** The rows of the tenant's older live keys, oldest first; absent in a row of one key. */
  readonly olderKeys?: readonly LiteLlmRow[];
  /** The keys of the tenant that LiteLLM no longer has, of which the spend is not carried yet. */
  readonly goneKeys?: readonly KeyHash[];
  /** By Bursar's clock: when it asked, and when it had the answer. */
  readonly begunAt: Instant;
  readonly answeredAt: Instant;
  readonly resetsAt: Instant | null;
  readonly createdAt: Instant | null;
  /** The budget object linked to the key. */
  readonly budgetId: string | null;
  /** The name of a key or team in LiteLLM. */
  readonly alias: string | null;
  /** The team of a key; null when it has none. */
  readonly teamId: string | null;
}
