// The tenants of Postgres in memory, as far as a check reads them. The other verbs throw.

import type { KeyHash, Subject, TenantId } from "../../../src/budget/tenant.ts";
import type { Tenants } from "../../../src/ports/stores.ts";
import type { TenantRecord } from "../../../src/records/tenant.ts";

export class FakeTenants implements Tenants {
  readonly rows = new Map<TenantId, TenantRecord>();
  readonly keys = new Map<KeyHash, TenantId>();

  has(tenant: TenantRecord): void {
    const { tenantId, subject } = tenant.config;
    this.rows.set(tenantId, tenant);
    if (subject.kind === "key") this.keys.set(subject.id, tenantId);
  }

  async load(tenantId: TenantId) {
    return this.rows.get(tenantId) ?? null;
  }

  async findByKey(keyHash: KeyHash) {
    const tenantId = this.keys.get(keyHash);
    const mayBeInTeam = [...this.rows.values()].some(({ config }) => config.subject.kind === "team");
    return { tenant: (tenantId && this.rows.get(tenantId)) ?? null, mayBeInTeam };
  }

  async findBySubject({ kind, id }: Subject) {
    const hasSubject = ({ config }: TenantRecord) => config.subject.kind === kind && config.subject.id === id;
    return [...this.rows.values()].find(hasSubject) ?? null;
  }

  async ping() {}

  loadEvenDeleted = notForChecks;
  list = notForChecks;
  create = notForChecks;
  change = notForChecks;
  setSuspended = notForChecks;
  markDeleted = notForChecks;
  remove = notForChecks;
  recordSync = notForChecks;
  recordPriorValues = notForChecks;
  noteBlock = notForChecks;
  noteMark = notForChecks;
  claimPendingSyncs = notForChecks;
  resetPeriod = notForChecks;
  claimEndedPeriods = notForChecks;
  findUnannounced = notForChecks;
  notePeriodAnnounced = notForChecks;
}

async function notForChecks(): Promise<never> {
  throw new Error("a check must not call this verb of Tenants");
}
