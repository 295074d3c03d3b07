// The Tenants port on every Postgres there is, through Neon's driver: creating, finding, changing, deleting.

import type { SQL } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { neonTenants } from "../../src/adapters/neon-tenants.ts";
import { Outage } from "../../src/outage.ts";
import type { Tenants } from "../../src/ports.ts";
import { aSpendRecord, MINUTE, NOW, RESET, usd } from "../budget/builders.ts";
import { aNewTenant, anActor, aSyncOutcome, hashOf, idOf } from "../support/builders.ts";
import { postgresBackends } from "../support/postgres-backends.ts";
import { startTenantDatabase, type TenantDatabase } from "../support/tenant-database.ts";

const acme = idOf("acme");
const later = anActor({ name: "bob", requestId: "request-2", now: NOW + MINUTE });

interface AuditRow {
  at: Date;
  actor: string;
  action: string;
  request_id: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown>;
}

describe.each(postgresBackends)("Tenants on $name", (backend) => {
  let db: TenantDatabase;
  let tenants: Tenants;

  const audit = () => db.query<AuditRow>("select * from audit_log order by id");
  const create = async (differences: Parameters<typeof aNewTenant>[0] = {}) => {
    const created = await tenants.create(aNewTenant(differences), anActor());
    if (!created.ok) throw new Error(created.failure);
    return created.value;
  };

  beforeAll(async () => {
    db = await startTenantDatabase(backend);
    tenants = neonTenants(db.database);
  });
  beforeEach(() => db.empty());
  afterAll(() => db.stop());

  describe("creating", () => {
    it("keeps everything exactly as it was given", async () => {
      const priorValues = { maxBudget: "12.345678901", softBudget: null, budgetDuration: "7d", metadata: { a: [1] } };
      const spend = aSpendRecord({ spendNanoUsd: usd("0.000000001"), readAt: NOW + 7, resetsAt: null });
      const created = await create({
        name: "Acme & Söhne",
        maxBudgetNanoUsd: usd("999999999.999999999"),
        alertThreshold: 7_999n,
        graceThreshold: 10_001n,
        budgetDuration: null,
        enforcement: "observe",
        failPolicy: "closed",
        subjectCreatedAt: NOW + 1,
        budgetResetAt: NOW + 2,
        adopted: true,
        priorValues,
        sealedKey: "v1.k.iv.body",
        spend,
      });
      expect(created).toEqual({
        config: {
          tenantId: acme,
          name: "Acme & Söhne",
          subject: { kind: "key", id: hashOf("a") },
          maxBudgetNanoUsd: usd("999999999.999999999"),
          alertThreshold: 7_999n,
          graceThreshold: 10_001n,
          budgetDuration: null,
          budgetResetAt: NOW + 2,
          litellmKeyLastReset: null,
          subjectCreatedAt: NOW + 1,
          configVersion: 1,
          revision: expect.any(Number),
          enforcement: "observe",
          failPolicy: "closed",
          suspendedAt: null,
          overrides: [],
        },
        spend,
        sync: { status: "pending", error: null, since: NOW, budgetId: null, hasSetLimits: false },
        adopted: true,
        priorValues,
        sealedKey: "v1.k.iv.body",
        deletedAt: null,
        createdAt: NOW,
        updatedAt: NOW,
      });
      expect(await tenants.load(acme)).toEqual(created);
    });

    it("says that the tenant is taken when its id is, and leaves the one that has it alone", async () => {
      const first = await create();
      const again = aNewTenant({ subject: { kind: "key", id: hashOf("b") } });
      expect(await tenants.create(again, later)).toEqual({ ok: false, failure: "tenant_taken" });
      expect(await tenants.load(acme)).toEqual(first);
      expect(await audit()).toHaveLength(1);
    });

    it("says that the subject is taken when its key or team is another tenant's", async () => {
      await create();
      await create({ tenantId: idOf("team"), subject: { kind: "team", id: "t1" } });
      const sameKey = aNewTenant({ tenantId: idOf("other") });
      const sameTeam = aNewTenant({ tenantId: idOf("other"), subject: { kind: "team", id: "t1" } });
      expect(await tenants.create(sameKey, later)).toEqual({ ok: false, failure: "subject_taken" });
      expect(await tenants.create(sameTeam, later)).toEqual({ ok: false, failure: "subject_taken" });
      expect(await tenants.load(idOf("other"))).toBeNull();
    });

    it("says that the subject is taken when the key belongs to a tenant whose subject is another", async () => {
      await create({ subject: { kind: "team", id: "t1" }, keyHashes: [hashOf("c")] });
      const byKey = aNewTenant({ tenantId: idOf("other"), subject: { kind: "key", id: hashOf("c") } });
      expect(await tenants.create(byKey, later)).toEqual({ ok: false, failure: "subject_taken" });
      expect(await tenants.load(idOf("other"))).toBeNull();
    });

    it("audits the whole tenant without its sealed key", async () => {
      await create({ sealedKey: "v1.k.iv.body", maxBudgetNanoUsd: usd("12.5") });
      const [line, ...others] = await audit();
      expect(others).toEqual([]);
      expect(line).toMatchObject({
        at: new Date(NOW),
        actor: "alice",
        action: "tenant_created",
        tenant_id: "acme",
        request_id: "request-1",
        before: null,
        after: {
          tenant_id: "acme",
          subject: { kind: "key", id: hashOf("a") },
          max_budget: 12.5,
          alert_threshold: 80,
          grace_threshold: 110,
          budget_duration: "30d",
          resets_at: new Date(RESET).toISOString(),
          period_started_at: new Date(NOW).toISOString(),
        },
      });
      expect(JSON.stringify(line)).not.toContain("v1.k");
    });
  });

  describe("finding", () => {
    it("finds a tenant by its key, and by its subject", async () => {
      const own = await create();
      const team = await create({
        tenantId: idOf("team"),
        subject: { kind: "team", id: "t1" },
        keyHashes: [hashOf("c")],
      });
      expect((await tenants.findByKey(hashOf("a"))).tenant).toEqual(own);
      expect((await tenants.findByKey(hashOf("c"))).tenant).toEqual(team);
      expect(await tenants.findBySubject({ kind: "team", id: "t1" })).toEqual(team);
      expect(await tenants.findBySubject({ kind: "key", id: hashOf("c") })).toBeNull();
    });

    it("says whether an unknown key may be in a team: only while some tenant's subject is a team", async () => {
      await create();
      expect(await tenants.findByKey(hashOf("f"))).toEqual({ tenant: null, mayBeInTeam: false });
      await create({ tenantId: idOf("team"), subject: { kind: "team", id: "t1" } });
      expect(await tenants.findByKey(hashOf("f"))).toEqual({ tenant: null, mayBeInTeam: true });
      await tenants.markDeleted(idOf("team"), later);
      expect(await tenants.findByKey(hashOf("f"))).toEqual({ tenant: null, mayBeInTeam: false });
    });

    it("brings every override along, the ended ones too, oldest first", async () => {
      await create();
      await db.query(
        `insert into budget_overrides (id, tenant_id, override_amount, created_at, expires_at, revoked_at, reason, created_by)
         values ('00000000-0000-4000-8000-000000000002', 'acme', 1.000000001, $2, $3, null, '', ''),
                ('00000000-0000-4000-8000-000000000001', 'acme', 50, $1, $2, $2, '', '')`,
        [new Date(NOW - 2), new Date(NOW - 1), new Date(NOW + 1)],
      );
      expect((await tenants.load(acme))?.config.overrides).toEqual([
        {
          id: "00000000-0000-4000-8000-000000000001",
          amountNanoUsd: usd("50"),
          createdAt: NOW - 2,
          expiresAt: NOW - 1,
          revokedAt: NOW - 1,
        },
        {
          id: "00000000-0000-4000-8000-000000000002",
          amountNanoUsd: usd("1.000000001"),
          createdAt: NOW - 1,
          expiresAt: NOW + 1,
          revokedAt: null,
        },
      ]);
    });
  });

  describe("changing", () => {
    it("changes what is named, keeps the rest, and audits before and after", async () => {
      const before = await create({ name: "Acme" });
      const after = await tenants.change(acme, { maxBudgetNanoUsd: usd("600"), failPolicy: "closed" }, later);
      expect(after?.config).toEqual({
        ...before.config,
        maxBudgetNanoUsd: usd("600"),
        failPolicy: "closed",
        configVersion: 2,
        revision: expect.any(Number),
      });
      expect(after?.config.revision).toBeGreaterThan(before.config.revision);
      expect(after?.updatedAt).toBe(later.now);
      expect(await tenants.load(acme)).toEqual(after);
      expect((await audit())[1]).toMatchObject({
        at: new Date(later.now),
        actor: "bob",
        action: "tenant_changed",
        request_id: "request-2",
        before: { max_budget: 500, fail_policy: null, config_version: 1, name: "Acme" },
        after: { max_budget: 600, fail_policy: "closed", config_version: 2, name: "Acme" },
      });
    });

    it.each([
      ["max_budget", { maxBudgetNanoUsd: usd("500.000000001") }, 2],
      ["alert_threshold", { alertThreshold: 8_001n }, 2],
      ["grace_threshold", { graceThreshold: 11_001n }, 2],
      ["name", { name: "other" }, 1],
      ["budget_duration", { budgetDuration: "1d" }, 1],
      ["enforcement", { enforcement: "observe" }, 1],
      ["fail_policy", { failPolicy: "open" }, 1],
    ] as const)("counts a new config version only for the limit: %s", async (_, change, version) => {
      await create();
      expect((await tenants.change(acme, change, later))?.config.configVersion).toBe(version);
    });

    it("bumps nothing and audits nothing when everything asked for is so already", async () => {
      const before = await create({ name: "Acme" });
      const same = { maxBudgetNanoUsd: usd("500"), name: "Acme", budgetDuration: "30d", failPolicy: null } as const;
      expect(await tenants.change(acme, same, later)).toEqual(before);
      expect(await tenants.change(acme, {}, later)).toEqual(before);
      expect(await audit()).toHaveLength(1);
    });

    it("takes values away: a name, a duration, a fail policy", async () => {
      await create({ name: "Acme", failPolicy: "closed" });
      const changed = await tenants.change(acme, { name: null, budgetDuration: null, failPolicy: null }, later);
      expect(changed?.config).toMatchObject({ name: null, budgetDuration: null, failPolicy: null });
    });

    it("waits for LiteLLM again only when LiteLLM has to hear of it", async () => {
      const { config } = await create();
      await tenants.recordSync(acme, config.revision, aSyncOutcome());
      expect((await tenants.change(acme, { name: "x", failPolicy: "open" }, later))?.sync.status).toBe("synced");
      const pending = await tenants.change(acme, { alertThreshold: 9_000n }, later);
      expect(pending?.sync).toMatchObject({ status: "pending", error: null, since: later.now });
    });

    it("keeps the time since which LiteLLM has been waited for", async () => {
      await create();
      expect((await tenants.change(acme, { maxBudgetNanoUsd: usd("1") }, later))?.sync.since).toBe(NOW);
    });

    it("answers null for a tenant that is not there or is deleted", async () => {
      expect(await tenants.change(acme, { name: "x" }, later)).toBeNull();
      await create();
      await tenants.markDeleted(acme, later);
      expect(await tenants.change(acme, { name: "x" }, later)).toBeNull();
    });

    it("applies changes that meet one after the other, each whole, each audited", async () => {
      await create();
      const amounts = Array.from({ length: 8 }, (_, index) => BigInt(index + 1) * usd("1"));
      await Promise.all(
        amounts.map((amount) =>
          tenants.change(acme, { maxBudgetNanoUsd: amount, graceThreshold: 10_000n + amount / usd("1") }, later),
        ),
      );
      const last = await tenants.load(acme);
      expect(last?.config.configVersion).toBe(9);
      expect(last?.config.graceThreshold).toBe(10_000n + (last?.config.maxBudgetNanoUsd ?? 0n) / usd("1"));
      const lines = (await audit()).slice(1);
      expect(lines).toHaveLength(8);
      const byVersion = new Map(lines.map((line) => [line.after["config_version"], line]));
      for (const line of lines) {
        const previous = byVersion.get((line.after["config_version"] as number) - 1);
        expect(line.before?.["max_budget"]).toBe(previous?.after["max_budget"] ?? 500);
      }
    });
  });

  describe("losing the answer", () => {
    /** The answer of the next statement never comes, whether or not it is carried out. */
    function losing({ carriesOut }: { carriesOut: boolean }): Tenants {
      let isLost = false;
      const database = () =>
        new Proxy(db.database(), {
          get(way, verb, self) {
            if (verb !== "execute" || isLost) return Reflect.get(way, verb, self);
            isLost = true;
            return async (statement: SQL) => {
              if (carriesOut) await way.execute(statement);
              throw new TypeError("fetch failed");
            };
          },
        });
      return neonTenants(database);
    }

    it("finds the tenant that was created all the same: its key is nobody else's", async () => {
      const created = await losing({ carriesOut: true }).create(aNewTenant({ sealedKey: "v1.k.iv.body" }), anActor());
      expect(created).toEqual({ ok: true, value: await tenants.load(acme) });
      expect(await audit()).toHaveLength(1);
    });

    it("throws when nothing was created, also while a tenant of that id has another key", async () => {
      await expect(losing({ carriesOut: false }).create(aNewTenant(), later)).rejects.toThrow(Outage);
      await create({ subject: { kind: "key", id: hashOf("b") } });
      await expect(losing({ carriesOut: false }).create(aNewTenant(), later)).rejects.toThrow(Outage);
    });

    it("throws for an adoption: the same key may be what another administrator has just adopted", async () => {
      const adopting = losing({ carriesOut: true }).create(aNewTenant({ adopted: true }), later);
      await expect(adopting).rejects.toThrow(Outage);
    });
  });

  describe("deleting", () => {
    it("hides the tenant from every reader at once, and audits it", async () => {
      const before = await create();
      const deleted = await tenants.markDeleted(acme, later);
      expect(deleted?.deletedAt).toBe(later.now);
      expect(deleted?.config.revision).toBeGreaterThan(before.config.revision);
      expect(deleted?.sync.status).toBe("pending");
      expect(await tenants.load(acme)).toBeNull();
      expect(await tenants.findBySubject({ kind: "key", id: hashOf("a") })).toBeNull();
      expect((await tenants.findByKey(hashOf("a"))).tenant).toBeNull();
      expect(await tenants.recordSpend(acme, aSpendRecord())).toBeNull();
      expect(await tenants.markDeleted(acme, later)).toBeNull();
      const page = await tenants.list({ state: null, after: null, limit: 10, now: NOW });
      expect(page).toEqual({
        tenants: [],
        next: null,
        counts: { ok: 0, warning: 0, grace: 0, blocked: 0, unknown: 0 },
      });
      expect((await audit())[1]).toMatchObject({
        action: "tenant_deleted",
        after: { deleted_at: "2026-11-15T12:01:00.000Z" },
      });
      expect(await audit()).toHaveLength(2);
    });

    it("keeps id and subject taken until the row is removed, and is found by what finishes LiteLLM's side", async () => {
      await create();
      await tenants.markDeleted(acme, later);
      expect(await tenants.create(aNewTenant(), later)).toEqual({ ok: false, failure: "tenant_taken" });
      const sameSubject = aNewTenant({ tenantId: idOf("other") });
      expect(await tenants.create(sameSubject, later)).toEqual({ ok: false, failure: "subject_taken" });
      expect(await tenants.claimPendingSyncs(10, later.now + MINUTE)).toEqual([acme]);
      expect((await tenants.loadEvenDeleted(acme))?.deletedAt).toBe(later.now);
      await tenants.remove(acme);
      expect(await tenants.loadEvenDeleted(acme)).toBeNull();
      expect((await tenants.create(aNewTenant(), later)).ok).toBe(true);
    });

    it("gives a tenant that is made again a later revision than the one deleted", async () => {
      await create();
      const deleted = await tenants.markDeleted(acme, later);
      await tenants.remove(acme);
      expect((await create()).config.revision).toBeGreaterThan(deleted?.config.revision ?? Number.POSITIVE_INFINITY);
    });

    it("never removes a tenant that is not marked as deleted", async () => {
      const created = await create();
      await tenants.remove(acme);
      expect(await tenants.load(acme)).toEqual(created);
    });
  });

  describe("when Postgres is away", () => {
    it("throws an outage from every verb, single or batch, whose text holds no parameter", async () => {
      db.away();
      try {
        const verbs: Promise<unknown>[] = [
          tenants.load(acme),
          tenants.list({ state: null, after: null, limit: 1, now: NOW }),
          tenants.create(aNewTenant({ sealedKey: "v1.secret" }), later),
          tenants.ping(),
        ];
        for (const result of await Promise.allSettled(verbs)) {
          expect(result.status).toBe("rejected");
          const { reason } = result as PromiseRejectedResult;
          expect(reason).toBeInstanceOf(Outage);
          expect(`${reason} ${reason.cause}`).not.toContain("secret");
        }
      } finally {
        db.back();
      }
      expect(await tenants.load(acme)).toBeNull();
    });

    it("throws what Postgres refuses as what it is: a bug, not an outage, without its parameters", async () => {
      const broken = aNewTenant({ sealedKey: "v1.secret", graceThreshold: 9_999n });
      const error = await tenants.create(broken, later).catch((cause: unknown) => cause);
      expect(error).toMatchObject({ code: "23514", constraint: "tenant_configs_grace_threshold_range" });
      expect(error).not.toBeInstanceOf(Outage);
      expect(String(error)).not.toContain("secret");
    });
  });
});
