// What a budget check takes and ends in, shared by the flows behind it.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import type { Verdict } from "../../budget/verdict.ts";
import type { Ports } from "../../ports/ports.ts";
import type { Deadline } from "./deadline.ts";
import type { InferredVerdict } from "./degraded-check.ts";
import type { FindDeps } from "./find-tenant.ts";

export type CheckDeps = FindDeps & Pick<Ports, "outageNotes" | "claims">;

export interface CheckInput {
  readonly caller: Caller;
  /** From the caller's `Cache-Control`: 0 for `no-cache`, null when it names no age. */
  readonly demandedMaxAgeMs: number | null;
  readonly colo: string;
  readonly now: Instant;
  /** In [0, 1). */
  readonly random: number;
}

/** An agent sends its key. An orchestrator names the tenant. */
export type Caller = KeyCaller | { readonly kind: "tenant"; readonly tenantId: TenantId };

export interface KeyCaller {
  readonly kind: "key";
  /** Null for a caller that LiteLLM knows by its team alone. */
  readonly keyHash: KeyHash | null;
  /** The caller's network, for the ceiling on look-ups. Null when LiteLLM asks: it has verified the key. */
  readonly network: string | null;
  /** The key's team, or null for no team, when LiteLLM asks. */
  readonly teamId?: string | null;
}

export type CheckOutcome =
  | {
      readonly kind: "verdict";
      readonly verdict: Verdict;
      /** How long the caller may cache the verdict, in milliseconds. */
      readonly keepForMs: number;
    }
  | { readonly kind: "unknown" }
  | { readonly kind: "too_many_unknown" }
  /**
   * The stores are slow, and nothing of the caller is known yet: not an outage, so no tenant's fail policy applies. The
   * verdict is the deployment's, for an answer that must be yes or no.
   */
  | { readonly kind: "undecided"; readonly verdict: Verdict };

/** A check under way. */
export interface Check extends CheckInput {
  readonly deadline: Deadline;
  /** Cancelled as soon as a tenant is found. */
  readonly inference: Inference;
}

/** Neither KV nor Postgres has said in time, or at all. `tenantId`: null when not even the tenant is known. */
export interface Unfound {
  readonly kind: "slow" | "unreachable";
  readonly tenantId: TenantId | null;
}

/** A verdict from LiteLLM alone, in case the stores do not answer in time. */
export interface Inference {
  readonly verdict: Promise<InferredVerdict>;
  start(): void;
  /** Does not start it any more. */
  cancel(): void;
}
