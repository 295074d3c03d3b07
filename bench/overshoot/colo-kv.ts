// Workers KV with one tenant, a cached copy per colo and writes that other colos see late. No local KV simulates these.

import { NO_OUTAGE } from "../../src/budget/failure.ts";
import type { Instant } from "../../src/budget/instant.ts";
import { joinRecords, type SpendRecord } from "../../src/budget/spend.ts";
import type { TenantConfig } from "../../src/budget/tenant.ts";
import type { Snapshots } from "../../src/ports/edge.ts";
import { KV_COPY_SECONDS, KV_ELSEWHERE_SECONDS } from "./scenario.ts";

interface Write {
  readonly record: SpendRecord;
  readonly at: Instant;
  readonly colo: string;
}

interface Copy {
  readonly record: SpendRecord;
  readonly fetchedAt: Instant;
}

export class ColoKv {
  readonly #config: TenantConfig;
  readonly #clock: () => Instant;
  readonly #first: SpendRecord;
  readonly #writes: Write[] = [];
  readonly #copies = new Map<string, Copy>();

  constructor(config: TenantConfig, first: SpendRecord, clock: () => Instant) {
    this.#config = config;
    this.#first = first;
    this.#clock = clock;
  }

  /** KV as seen from one colo. The config is the same everywhere and never changes. */
  in(colo: string): Snapshots {
    const config = this.#config;
    return {
      ownerOf: async () => config.tenantId,
      tenant: async () => ({ config, spend: this.#read(colo) }),
      writeSpend: async (_, record) => {
        const joined = joinRecords(this.#read(colo), record);
        this.#writes.push({ record: joined, at: this.#clock(), colo });
      },
      writeOwnerOf: async () => {},
      writeConfig: async () => {},
      writeDeleted: async () => {},
      outageNote: async () => NO_OUTAGE,
      writeOutage: async () => {},
      ping: async () => {},
    };
  }

  #read(colo: string): SpendRecord {
    const now = this.#clock();
    const copy = this.#copies.get(colo);
    if (copy !== undefined && now - copy.fetchedAt < KV_COPY_SECONDS * 1_000) return copy.record;
    const visible = this.#writes.findLast(
      (write) => write.colo === colo || now - write.at >= KV_ELSEWHERE_SECONDS * 1_000,
    );
    const record = visible?.record ?? this.#first;
    this.#copies.set(colo, { record, fetchedAt: now });
    return record;
  }
}
