// The tenants of Postgres in memory, as far as checks and rewrites of their configs read them. The other verbs throw.

import type { KeyHash, Subject, TenantId } from "../../../src/budget/tenant.ts";
import type { Tenants } from "../../../src/ports/stores.ts";
import type { SubjectFinding, TenantRecord, TenantSubject } from "../../../src/records/tenant.ts";

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

  async loadEvenDeleted(tenantId: TenantId) {
    return this.load(tenantId);
  }

  async findByKey(keyHash: KeyHash) {
    const tenantId = this.keys.get(keyHash);
    return (tenantId && this.rows.get(tenantId)) ?? null;
  }

  async findBySubject({ kind, id }: Subject) {
    const hasSubject = ({ config }: TenantRecord) => config.subject.kind === kind && config.subject.id === id;
    return [...this.rows.values()].find(hasSubject) ?? null;
  }

  async noteSubject({ tenantId, subjectId }: TenantSubject, finding: SubjectFinding, now: number) {
    const tenant = this.rows.get(tenantId);
    if (tenant === undefined || tenant.config.subject.id !== subjectId) return null;
    const subjectMissingAt = finding === "missing" ? now : null;
    const litellmBlockedAt = finding === "blocked" ? now : null;
    const revision = tenant.config.revision + 1;
    const noted = { ...tenant, config: { ...tenant.config, revision, subjectMissingAt, litellmBlockedAt } };
    this.rows.set(tenantId, noted);
    return noted;
  }

  async ping() {}

  list = notForChecks;
  create = notForChecks;
  replaceUnshownKey = notForChecks;
  change = notForChecks;
  setSuspended = notForChecks;
  markDeleted = notForChecks;
  recordRelease = notForChecks;
  restore = notForChecks;
  remove = notForChecks;
  recordSync = notForChecks;
  recordPriorValues = notForChecks;
  noteBlock = notForChecks;
  noteMark = notForChecks;
  claimPendingSyncs = notForChecks;
  resetPeriod = notForChecks;
  claimEndedPeriods = notForChecks;
}

async function notForChecks(): Promise<never> {
  throw new Error("a check must not call this verb of Tenants");
}
