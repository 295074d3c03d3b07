// What LiteLLM says of a key or a team, what it can be told of it, and how it fails. Types only.

import type { NanoUsd } from "../budget/money.ts";
import type { Instant, Subject } from "../budget/tenant.ts";

export type LiteLlmFailure =
  /** Nothing was learned: time-out, network, 5xx, 429, an answer that makes no sense, or the breaker is open. */
  | {
      readonly kind: "unreachable";
      readonly why: string;
      /** The path is none of its API: another version, or another address. */
      readonly lacksRoute?: true;
    }
  | { readonly kind: "not_found" }
  /** LiteLLM understood and said no. `param` is the field it names. */
  | { readonly kind: "refused"; readonly status: number; readonly param: string | null; readonly message: string };

/** What LiteLLM's key or team row can be told. */
export interface LiteLlmFields {
  readonly maxBudgetNanoUsd: NanoUsd | null;
  readonly softBudgetNanoUsd: NanoUsd | null;
  readonly budgetDuration: string | null;
  /** Replaces LiteLLM's, so it must hold what was there before. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Whether LiteLLM refuses every call of the key, or of the team's keys. */
  readonly blocked: boolean;
}

/** LiteLLM's key or team row, as far as Bursar cares; a key's limits are its budget object's where it has none itself. */
export interface LiteLlmRow extends LiteLlmFields {
  readonly subject: Subject;
  /** What the row itself says: all that can be changed or given back without touching a shared budget object. */
  readonly own: Pick<LiteLlmFields, "maxBudgetNanoUsd" | "budgetDuration">;
  readonly spendNanoUsd: NanoUsd;
  readonly begunAt: Instant;
  readonly resetsAt: Instant | null;
  readonly createdAt: Instant | null;
  /** The budget object that the key is linked to. */
  readonly budgetId: string | null;
  /** Of a key that belongs to a team. */
  readonly teamId: string | null;
}
