// A tenant whose limit, spend and switches change, and the people who are told: evaluates with the real rule, and
// records as Postgres does: each identity once, and of the history only what a consumer loads.

import type { AlertDraft } from "../../src/budget/alert.ts";
import {
  type AlertEvaluation,
  type AlertHistory,
  findAlerts,
  type RecordedAlert,
  type RepeatedAlert,
} from "../../src/budget/find-alerts.ts";
import { limitAt, limitVersion } from "../../src/budget/limit.ts";
import type { SpendRecord } from "../../src/budget/spend.ts";
import type { TenantConfig } from "../../src/budget/tenant.ts";
import { stateAt } from "../../src/budget/verdict.ts";
import { anOverride, aSpendRecord, aTenantConfig, MINUTE, NOW, usd } from "./builders.ts";

export type Step =
  | { readonly kind: "limit"; readonly dollars: number }
  | { readonly kind: "spend"; readonly dollars: number }
  | { readonly kind: "grant"; readonly dollars: number }
  | { readonly kind: "reset" | "end" | "suspend" | "resume" | "repeat" }
  | { readonly kind: "wait"; readonly minutes: number };

export class ToldTenant {
  readonly told: AlertDraft[] = [];
  /** What an evaluation found again although it was recorded before, and so told nobody. */
  readonly swallowed: AlertDraft[] = [];
  readonly #rows: RecordedAlert[] = [];
  #config: TenantConfig = aTenantConfig({ maxBudgetNanoUsd: usd("100") });
  #record: SpendRecord = aSpendRecord({ spendNanoUsd: 0n });
  #lastEvaluation: AlertEvaluation | null = null;
  #repeats: RepeatedAlert[] = [];
  #now = NOW;

  take(step: Step): void {
    this.#now += MINUTE;
    switch (step.kind) {
      case "limit":
        this.#configure({
          maxBudgetNanoUsd: usd(`${step.dollars}`),
          configVersion: this.#config.configVersion + 1,
        });
        break;
      case "spend":
        this.#record = { ...this.#record, spendNanoUsd: usd(`${step.dollars}`) };
        break;
      case "grant":
        this.#configure({
          overrides: [
            ...this.#config.overrides,
            anOverride({
              id: `o${this.#now}`,
              amountNanoUsd: usd(`${step.dollars}`),
              createdAt: this.#now,
              expiresAt: this.#now + 1_000 * MINUTE,
            }),
          ],
        });
        break;
      case "end":
        this.#configure({
          overrides: this.#config.overrides.map((each) => ({ ...each, revokedAt: each.revokedAt ?? this.#now })),
        });
        break;
      case "reset":
        this.#configure({ litellmKeyLastReset: this.#now });
        this.#record = { ...this.#record, spendNanoUsd: 0n, periodStartedAt: this.#now };
        break;
      case "suspend":
        this.#configure({ suspendedAt: this.#now });
        break;
      case "resume":
        this.#configure({ suspendedAt: null });
        break;
      case "repeat":
        this.#repeats.push({ about: { spendNanoUsd: this.#record.spendNanoUsd }, receivedAt: this.#now });
        break;
      case "wait":
        this.#now += step.minutes * MINUTE;
    }
  }

  /** Returns what people are told now. */
  evaluate(): readonly AlertDraft[] {
    const drafts = findAlerts({
      config: this.#config,
      record: this.#record,
      history: this.#history(),
      isBaseline: false,
      repeats: this.#repeats,
      repeatAfterMs: 60 * MINUTE,
      now: this.#now,
    });
    this.#repeats = [];
    const isKnown = ({ identity }: AlertDraft) => this.#rows.some((row) => row.identity === identity);
    this.swallowed.push(...drafts.filter(isKnown));
    const recorded = drafts.filter((draft) => !isKnown(draft));
    const createdAt = Math.max(this.#now, (this.#rows.at(-1)?.createdAt ?? 0) + 1);
    this.#rows.push(...recorded.map((draft) => ({ ...draft, createdAt })));
    const { periodStartedAt } = this.#record;
    this.#lastEvaluation = { limitVersion: limitVersion(this.#config, this.#now), periodStartedAt };
    const told = recorded.filter(({ isSilent }) => !isSilent);
    this.told.push(...told);
    return told;
  }

  get isOverBlock(): boolean {
    return this.#record.spendNanoUsd >= limitAt(this.#config, this.#now).blocksAtNanoUsd;
  }

  get isBlocked(): boolean {
    return stateAt(this.#config, this.#record.spendNanoUsd, this.#now).state === "blocked";
  }

  /** As src/adapters/postgres/spend-batches.ts loads it. */
  #history(): AlertHistory {
    const ofPeriod = this.#rows.filter(({ periodStartedAt }) => periodStartedAt >= this.#record.periodStartedAt);
    const last = Map.groupBy(ofPeriod, (row) => `${row.eventType}/${row.periodStartedAt}/${row.limitVersion}`);
    const block = this.#rows.findLast(({ eventType }) => /^budget_(blocked|resolved)$/.test(eventType));
    const alerts = new Set([...last.values()].flatMap((rows) => rows.slice(-1)));
    if (block !== undefined) alerts.add(block);
    return { lastEvaluation: this.#lastEvaluation, alerts: [...alerts] };
  }

  #configure(change: Partial<TenantConfig>): void {
    this.#config = { ...this.#config, ...change };
  }
}
