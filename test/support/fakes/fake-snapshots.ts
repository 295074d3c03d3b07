// Snapshots in memory, with the version rules of KV's adapter. `isAway` makes every verb throw, as KV does when it is
// down.

import { joinRecords, type SpendRecord } from "../../../src/budget/spend.ts";
import { isSameTenant, type KeyHash, type TenantConfig, type TenantId } from "../../../src/budget/tenant.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { Snapshots } from "../../../src/ports/ports.ts";
import type { CachedTenant, Tombstone } from "../../../src/records/edge.ts";

type Config = TenantConfig | (Tombstone & { readonly revision: number });

export class FakeSnapshots implements Snapshots {
  isAway = false;
  readonly configs = new Map<TenantId, Config>();
  readonly spends = new Map<TenantId, SpendRecord>();
  /** The tenant that each spend belongs to. */
  readonly #owners = new Map<TenantId, TenantConfig>();
  readonly tenantsOfKeys = new Map<KeyHash, TenantId | null>();
  /** The keys whose entries expire in KV after an hour. */
  readonly expiring = new Set<KeyHash>();
  outage: number | null = null;

  async tenantOfKey(keyHash: KeyHash) {
    this.#reach();
    return this.tenantsOfKeys.get(keyHash) ?? null;
  }

  async tenant(tenantId: TenantId): Promise<CachedTenant | Tombstone> {
    this.#reach();
    const config = this.configs.get(tenantId) ?? null;
    if (config === null || "deletedRevision" in config) return config ?? { config, spend: null };
    const isOwn = isSameTenant(this.#owners.get(tenantId) ?? config, config);
    return { config, spend: (isOwn && this.spends.get(tenantId)) || null };
  }

  async writeTenantOfKey(keyHash: KeyHash, tenantId: TenantId | null, options?: { expires: boolean }) {
    this.#reach();
    this.tenantsOfKeys.set(keyHash, tenantId);
    if (options?.expires === true) this.expiring.add(keyHash);
    else this.expiring.delete(keyHash);
  }

  async writeConfig(config: TenantConfig) {
    this.#write(config.tenantId, config);
  }

  async writeDeleted(tenantId: TenantId, revision: number, deletedAt: number) {
    this.#write(tenantId, { deletedRevision: revision, deletedAt, revision });
  }

  async writeSpend(config: TenantConfig, record: SpendRecord) {
    this.#reach();
    const { tenantId } = config;
    const owner = this.#owners.get(tenantId);
    const present = owner !== undefined && isSameTenant(owner, config) ? this.spends.get(tenantId) : undefined;
    this.#owners.set(tenantId, config);
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
