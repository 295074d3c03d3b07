// LiteLLM's reads in memory, in virtual time. A test sets the result of each try. Records every read. Verbs that change
// LiteLLM throw.

import type { Instant } from "../../../src/budget/instant.ts";
import type { KeyHash, Subject, TenantId } from "../../../src/budget/tenant.ts";
import type { LiteLlm, Timers } from "../../../src/ports/ports.ts";
import { failure, type Result, success } from "../../../src/ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../../src/records/litellm-row.ts";
import { NOW, PERIOD_START, RESET, usd } from "../../budget/builders.ts";
import { hashOf } from "../builders/builders.ts";

/** How long the client waits before its second and third try, without the jitter. */
const BACKOFF_MS = [200, 400];

export const AWAY: LiteLlmFailure = { kind: "unreachable", why: "status 500" };

/** LiteLLM's row of `acme`'s key in the desired state. */
export function aLiteLlmRow(differences: Partial<LiteLlmRow> = {}): LiteLlmRow {
  return {
    subject: { kind: "key", id: hashOf("a") },
    spendNanoUsd: usd("100"),
    othersNanoUsd: 0n,
    begunAt: NOW,
    answeredAt: NOW,
    resetsAt: RESET,
    createdAt: PERIOD_START,
    maxBudgetNanoUsd: usd("550"),
    softBudgetNanoUsd: usd("400"),
    budgetDuration: "30d",
    own: { maxBudgetNanoUsd: usd("550"), budgetDuration: "30d" },
    metadata: { tenant_id: "acme" as TenantId, bursar_mark: "nonce-1.signature" },
    blocked: false,
    budgetId: "budget-1",
    alias: "acme",
    teamId: null,
    ...differences,
  };
}

export class FakeLiteLlm implements LiteLlm {
  readonly rows = new Map<string, LiteLlmRow>();
  /** The results of the next tries: a failure, or null for an answer. When the list is empty, LiteLLM answers. */
  readonly nextTries: (LiteLlmFailure | null)[] = [];
  readonly reads: { subject: Subject; at: Instant }[] = [];
  /** How long a try takes. */
  tryMs = 0;
  pingFailure: LiteLlmFailure | null = null;
  readonly #timers: Timers;
  readonly #clock: () => Instant;

  constructor(timers: Timers, clock: () => Instant) {
    this.#timers = timers;
    this.#clock = clock;
  }

  has(litellmRow: LiteLlmRow): void {
    this.rows.set(litellmRow.subject.id, litellmRow);
  }

  async readSubject(
    subject: Subject,
    { tries, onFailedTry }: { tries: number; onFailedTry?: (failure: LiteLlmFailure) => void },
  ): Promise<Result<LiteLlmRow, LiteLlmFailure>> {
    for (let left = tries; ; left--) {
      const answer = await this.#try(subject);
      if (answer.ok) return answer;
      onFailedTry?.(answer.failure);
      if (answer.failure.kind !== "unreachable" || left === 1) return answer;
      await this.#timers.after(BACKOFF_MS[tries - left] ?? 0).passed;
    }
  }

  async ping(): Promise<Result<void, LiteLlmFailure>> {
    return this.pingFailure === null ? success(undefined) : failure(this.pingFailure);
  }

  readKeys = notForChecks;
  createKey = notForChecks;
  updateSubject = notForChecks;
  updateSoftBudget = notForChecks;
  deleteKey = (_: KeyHash) => notForChecks();
  resetSpend = (_: KeyHash) => notForChecks();

  async #try(subject: Subject): Promise<Result<LiteLlmRow, LiteLlmFailure>> {
    const begunAt = this.#clock();
    this.reads.push({ subject, at: begunAt });
    if (this.tryMs > 0) await this.#timers.after(this.tryMs).passed;
    const failed = this.nextTries.shift() ?? null;
    if (failed !== null) return failure(failed);
    const row = this.rows.get(subject.id);
    return row === undefined ? failure({ kind: "not_found" }) : success({ ...row, begunAt, answeredAt: this.#clock() });
  }
}

async function notForChecks(): Promise<never> {
  throw new Error("a check must not call this verb of LiteLlm");
}
