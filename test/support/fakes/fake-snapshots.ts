// Snapshots in memory, with the version rules of KV's adapter, and the copy of the outage note in Postgres. `isAway`
// makes every verb throw, as the store does when it is down.

import { isDeepStrictEqual } from "node:util";
import { NO_OUTAGE, type OutageNote } from "../../../src/budget/failure.ts";
import { joinRecords, type SpendRecord } from "../../../src/budget/spend.ts";
import { isSameTenant, type TenantConfig, type TenantId } from "../../../src/budget/tenant.ts";
import type { Snapshots } from "../../../src/ports/edge.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { OutageNotes } from "../../../src/ports/stores.ts";
import type { CachedOwner, CachedTenant, CallerName, Tombstone } from "../../../src/records/edge.ts";

type Config = TenantConfig | (Tombstone & { readonly revision: number });

export class FakeSnapshots implements Snapshots {
  isAway = false;
  readonly configs = new Map<TenantId, Config>();
  readonly spends = new Map<TenantId, SpendRecord>();
  /** The tenant that each spend belongs to. */
  readonly #spenders = new Map<TenantId, TenantConfig>();
  readonly owners = new Map<CallerName, CachedOwner>();
  /** The keys whose entries expire in KV after an hour. */
  readonly expiring = new Set<CallerName>();
  note: OutageNote = NO_OUTAGE;
  /** The writes that KV was asked for, as `config acme 2`, without those that it did not need. */
  readonly writes: string[] = [];

  async ownerOf(caller: CallerName): Promise<CachedOwner> {
    this.#reach();
    return this.owners.get(caller) ?? null;
  }

  async tenant(tenantId: TenantId): Promise<CachedTenant | Tombstone> {
    this.#reach();
    const config = this.configs.get(tenantId) ?? null;
    if (config === null || "deletedRevision" in config) return config ?? { config, spend: null };
    const isOwn = isSameTenant(this.#spenders.get(tenantId) ?? config, config);
    return { config, spend: (isOwn && this.spends.get(tenantId)) || null };
  }

  async writeOwnerOf(caller: CallerName, owner: CachedOwner, options?: { expires: boolean }) {
    this.#reach();
    if (this.owners.get(caller) === owner) return;
    this.writes.push(`tenant-of-key ${owner}`);
    this.owners.set(caller, owner);
    if (options?.expires === true) this.expiring.add(caller);
    else this.expiring.delete(caller);
  }

  async writeConfig(config: TenantConfig, options?: { isRewrite: boolean }) {
    this.#write(config.tenantId, config, options?.isRewrite === true);
  }

  async writeDeleted(tenantId: TenantId, revision: number, deletedAt: number, options?: { isRewrite: boolean }) {
    this.#write(tenantId, { deletedRevision: revision, deletedAt, revision }, options?.isRewrite === true);
  }

  async writeSpend(config: TenantConfig, record: SpendRecord) {
    this.#reach();
    const { tenantId } = config;
    const spender = this.#spenders.get(tenantId);
    const present = spender !== undefined && isSameTenant(spender, config) ? this.spends.get(tenantId) : undefined;
    const joined = present === undefined ? record : joinRecords(present, record);
    if (isDeepStrictEqual(present, joined)) return;
    this.writes.push(`spend ${tenantId} ${joined.spendNanoUsd}`);
    this.#spenders.set(tenantId, config);
    this.spends.set(tenantId, joined);
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

  #write(tenantId: TenantId, value: Config, isRewrite: boolean) {
    this.#reach();
    const present = this.configs.get(tenantId);
    if (present !== undefined && !outranks(value, present, isRewrite)) return;
    this.writes.push(`config ${tenantId} ${value.revision}`);
    this.configs.set(tenantId, value);
  }

  #reach() {
    if (this.isAway) throw new Outage("kv", "away", null);
  }
}

/** At the same revision a tombstone is the later version. */
function outranks(next: Config, present: Config, isRewrite: boolean): boolean {
  if (next.revision !== present.revision) return next.revision > present.revision;
  const [isDeleted, wasDeleted] = ["deletedRevision" in next, "deletedRevision" in present];
  return isDeleted === wasDeleted ? isRewrite : isDeleted;
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
