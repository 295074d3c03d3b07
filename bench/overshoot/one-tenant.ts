// In-memory Postgres with one tenant, and in-memory Redis claims in virtual time.

import { countCalls, cutoffOf, type Ledger, unsettledAround } from "../../src/budget/counting.ts";
import type { Instant } from "../../src/budget/instant.ts";
import type { NanoUsd } from "../../src/budget/money.ts";
import type { SpendRecord } from "../../src/budget/spend.ts";
import type { TenantConfig, TenantId } from "../../src/budget/tenant.ts";
import type { Ledgers, SpendBatches, Tenants } from "../../src/ports/stores.ts";
import type { LedgerCall, LedgerChange } from "../../src/records/ledger.ts";
import type { TenantRecord } from "../../src/records/tenant.ts";
import { aTenant } from "../../test/support/builders/builders.ts";
import { FakeClaims } from "../../test/support/fakes/fake-claims.ts";
import { unusedPort } from "../../test/support/faults/unused-port.ts";

export class OnePostgres {
  readonly #config: TenantConfig;
  #ledger: Ledger;
  #version = 1;
  readonly #counted = new Map<string, LedgerCall>();

  constructor(config: TenantConfig, spend: SpendRecord) {
    this.#config = config;
    const { spendNanoUsd: baseNanoUsd, observedAt } = spend;
    const base = { baseNanoUsd, baseAnsweredAt: observedAt, fenceAt: observedAt };
    this.#ledger = { ...spend, ...base, sinceNanoUsd: 0n, countedAt: null, doubt: null };
  }

  readonly tenants: Tenants = {
    ...unusedPort<Tenants>("tenants"),
    load: async () => this.#tenant(),
  };

  readonly ledgers: Ledgers = {
    ...unusedPort<Ledgers>("ledgers"),
    load: async (asked) =>
      asked.map(({ answeredAt }) => ({
        tenant: this.#tenant(),
        ledger: this.#ledger,
        version: this.#version,
        calls: {
          afterCutoffNanoUsd: this.#costOf((endedAt) => endedAt > cutoffOf({ answeredAt })),
          atReadNanoUsd: this.#costAround(answeredAt),
          atBaseNanoUsd: this.#costAround(this.#ledger.baseAnsweredAt),
        },
      })),
    save: async (changes) => changes.flatMap((change) => this.#save(change)),
  };

  readonly spendBatches: SpendBatches = {
    load: async (references) => [
      { tenant: this.#tenant(), history: { lastEvaluation: null, alerts: [] }, references, pending: [] },
    ],
    count: async ({ calls }, now) => {
      const fresh = calls.filter(({ id }) => !this.#counted.has(id));
      for (const call of fresh) this.#counted.set(call.id, call);
      this.#ledger = countCalls(this.#ledger, fresh, now);
      if (fresh.length > 0) this.#version++;
      const { baseAnsweredAt } = this.#ledger;
      const unsettledNanoUsd = this.#costAround(baseAnsweredAt);
      return new Map([[this.#config.tenantId, { record: this.#ledger, baseAnsweredAt, unsettledNanoUsd }]]);
    },
  };

  #tenant(): TenantRecord {
    return aTenant({ config: this.#config, spend: this.#ledger });
  }

  #save({ ledger, version }: LedgerChange): TenantRecord[] {
    if (version !== this.#version) return [];
    this.#ledger = ledger;
    this.#version++;
    return [this.#tenant()];
  }

  #costAround(answeredAt: Instant): NanoUsd {
    const { from, to } = unsettledAround({ answeredAt });
    return this.#costOf((endedAt) => endedAt > from && endedAt <= to);
  }

  #costOf(isMeant: (endedAt: Instant) => boolean): NanoUsd {
    const meant = [...this.#counted.values()].filter(({ endedAt }) => isMeant(endedAt));
    return meant.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n);
  }
}

/** Claims that expire, as in Redis. */
export class TimedClaims extends FakeClaims {
  readonly #clock: () => Instant;
  readonly #until = new Map<string, Instant>();

  constructor(clock: () => Instant) {
    super();
    this.#clock = clock;
  }

  override async claimRefresh(tenantId: TenantId, colo: string, seconds = 5): Promise<boolean> {
    await this.ping();
    return this.#take(`refresh ${tenantId} ${colo}`, seconds);
  }

  #take(name: string, seconds: number): boolean {
    const isFree = (this.#until.get(name) ?? 0) <= this.#clock();
    if (isFree) this.#until.set(name, this.#clock() + seconds * 1_000);
    return isFree;
  }
}
