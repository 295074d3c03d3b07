// Snapshots in memory, with the version rules of KV's adapter. `isAway` makes every verb throw, as KV does when it is
// down.

import { joinRecords, type SpendRecord } from "../../../src/budget/spend.ts";
import type { TenantConfig, TenantId } from "../../../src/budget/tenant.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { Snapshots } from "../../../src/ports/ports.ts";
import type { CachedOwner, CachedTenant, CallerName, Tombstone } from "../../../src/records/edge.ts";

type Config = TenantConfig | (Tombstone & { readonly revision: number });

export class FakeSnapshots implements Snapshots {
  isAway = false;
  readonly configs = new Map<TenantId, Config>();
  readonly spends = new Map<TenantId, SpendRecord>();
  /** The subject that each tenant's spend belongs to. */
  readonly #subjects = new Map<TenantId, string>();
  readonly owners = new Map<CallerName, CachedOwner>();
  /** The keys whose entries expire in KV after an hour. */
  readonly expiring = new Set<CallerName>();
  outage: number | null = null;

  async ownerOf(caller: CallerName): Promise<CachedOwner> {
    this.#reach();
    return this.owners.get(caller) ?? null;
  }

  async tenant(tenantId: TenantId): Promise<CachedTenant | Tombstone> {
    this.#reach();
    const config = this.configs.get(tenantId) ?? null;
    if (config === null || "deletedRevision" in config) return config ?? { config, spend: null };
    const isOwn = (this.#subjects.get(tenantId) ?? config.subject.id) === config.subject.id;
    return { config, spend: (isOwn && this.spends.get(tenantId)) || null };
  }

  async writeOwnerOf(caller: CallerName, owner: CachedOwner, options?: { expires: boolean }) {
    this.#reach();
    this.owners.set(caller, owner);
    if (options?.expires === true) this.expiring.add(caller);
    else this.expiring.delete(caller);
  }

  async writeConfig(config: TenantConfig) {
    this.#write(config.tenantId, config);
  }

  async writeDeleted(tenantId: TenantId, revision: number, deletedAt: number) {
    this.#write(tenantId, { deletedRevision: revision, deletedAt, revision });
  }

  async writeSpend({ tenantId, subject }: TenantConfig, record: SpendRecord) {
    this.#reach();
    const present = this.#subjects.get(tenantId) === subject.id ? this.spends.get(tenantId) : undefined;
    this.#subjects.set(tenantId, subject.id);
    this.spends.set(tenantId, present === undefined ? record : joinRecords(present, record));
  }

  async outageStartedAt() {
    this.#reach();
    return this.outage;
  }

  async writeOutage(startedAt: number | null) {
    this.#reach();
    this.outage = startedAt;
  }

  async ping() {
    this.#reach();
  }

  #write(tenantId: TenantId, value: Config) {
    this.#reach();
    const present = this.configs.get(tenantId);
    if (present === undefined || present.revision <= value.revision) this.configs.set(tenantId, value);
  }

  #reach() {
    if (this.isAway) throw new Outage("kv", "away", null);
  }
}
