// In-memory Postgres with one tenant, and in-memory Redis claims in virtual time.

import type { Instant } from "../../src/budget/instant.ts";
import { joinRecords, type SpendRecord } from "../../src/budget/spend.ts";
import type { TenantConfig, TenantId } from "../../src/budget/tenant.ts";
import type { ReadReason } from "../../src/ports/messages.ts";
import type { SpendBatches, Tenants } from "../../src/ports/stores.ts";
import type { TenantRecord } from "../../src/records/tenant.ts";
import { aTenant } from "../../test/support/builders/builders.ts";
import { FakeClaims } from "../../test/support/fakes/fake-claims.ts";
import { unusedPort } from "../../test/support/faults/unused-port.ts";

export class OnePostgres {
  #tenant: TenantRecord;

  constructor(config: TenantConfig, spend: SpendRecord) {
    this.#tenant = aTenant({ config, spend });
  }

  readonly tenants: Tenants = {
    ...unusedPort<Tenants>("tenants"),
    load: async () => this.#tenant,
    recordSpend: async ({ record }) => this.#record(record),
  };

  readonly spendBatches: SpendBatches = {
    load: async (references) => [
      { tenant: this.#tenant, history: { lastEvaluation: null, alerts: [] }, references, pending: [] },
    ],
    record: async (rows) => {
      for (const { record } of rows) this.#record(record);
    },
  };

  #record(record: SpendRecord): TenantRecord {
    const { spend } = this.#tenant;
    this.#tenant = { ...this.#tenant, spend: spend === null ? record : joinRecords(spend, record) };
    return this.#tenant;
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
    return this.#take(`refresh ${tenantId} ${colo}`, seconds);
  }

  override async isReadScheduled(_: TenantId, reason: ReadReason): Promise<boolean> {
    return (this.#until.get(reason) ?? 0) > this.#clock();
  }

  override async noteScheduledRead(_: TenantId, reason: ReadReason, seconds = 60): Promise<void> {
    this.#take(reason, seconds);
  }

  #take(name: string, seconds: number): boolean {
    const isFree = (this.#until.get(name) ?? 0) <= this.#clock();
    if (isFree) this.#until.set(name, this.#clock() + seconds * 1_000);
    return isFree;
  }
}
