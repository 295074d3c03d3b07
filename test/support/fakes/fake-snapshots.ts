// Snapshots in memory, with the version rules of KV's adapter, and the copy of the outage note in Postgres. `isAway`
// makes every verb throw, as the store does when it is down.

import { NO_OUTAGE, type OutageNote } from "../../../src/budget/failure.ts";
import { joinRecords, type SpendRecord } from "../../../src/budget/spend.ts";
import type { KeyHash, TenantConfig, TenantId } from "../../../src/budget/tenant.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { Snapshots } from "../../../src/ports/ports.ts";
import type { OutageNotes } from "../../../src/ports/stores.ts";
import type { CachedTenant, Tombstone } from "../../../src/records/edge.ts";

type Config = TenantConfig | (Tombstone & { readonly revision: number });

export class FakeSnapshots implements Snapshots {
  isAway = false;
  readonly configs = new Map<TenantId, Config>();
  readonly spends = new Map<TenantId, SpendRecord>();
  /** The subject that each tenant's spend belongs to. */
  readonly #subjects = new Map<TenantId, string>();
  readonly tenantsOfKeys = new Map<KeyHash, TenantId | null>();
  /** The keys whose entries expire in KV after an hour. */
  readonly expiring = new Set<KeyHash>();
  note: OutageNote = NO_OUTAGE;

  async tenantOfKey(keyHash: KeyHash) {
    this.#reach();
    return this.tenantsOfKeys.get(keyHash) ?? null;
  }

  async tenant(tenantId: TenantId): Promise<CachedTenant | Tombstone> {
    this.#reach();
    const config = this.configs.get(tenantId) ?? null;
    if (config === null || "deletedRevision" in config) return config ?? { config, spend: null };
    const isOwn = (this.#subjects.get(tenantId) ?? config.subject.id) === config.subject.id;
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

  async writeSpend({ tenantId, subject }: TenantConfig, record: SpendRecord) {
    this.#reach();
    const present = this.#subjects.get(tenantId) === subject.id ? this.spends.get(tenantId) : undefined;
    this.#subjects.set(tenantId, subject.id);
    this.spends.set(tenantId, present === undefined ? record : joinRecords(present, record));
  }

  /** When the noted outage began. Setting it leaves a note as releases without pings wrote it. */
  get outage(): number | null {
    return this.note.startedAt;
  }

  set outage(startedAt: number | null) {
    this.note = { startedAt, pings: [] };
  }

  async outageNote() {
    this.#reach();
    return this.note;
  }

  async writeOutage(note: OutageNote) {
    this.#reach();
    this.note = note;
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

export class FakeOutageNotes implements OutageNotes {
  isAway = false;
  note: OutageNote = NO_OUTAGE;

  async load() {
    this.#reach();
    return this.note;
  }

  async save(note: OutageNote) {
    this.#reach();
    this.note = note;
  }

  #reach() {
    if (this.isAway) throw new Outage("postgres", "away", null);
  }
}
