// The Tenants port on each Postgres backend, through Neon's driver: creating tenants, lost answers, and outages.

import { describe, expect, it } from "vitest";
import { Outage } from "../../../src/ports/outage.ts";
import { aLedger, aSpendRecord, MINUTE, NOW, RESET, usd } from "../../budget/builders.ts";
import { aNewTenant, anActor, aTenantListQuery, hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { auditLog, useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const later = anActor({ name: "bob", requestId: "request-2", now: NOW + MINUTE });

describe.each(postgresBackends)("Tenants on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const audit = () => auditLog(db);

  describe("creating", () => {
    it("stores everything exactly as given", async () => {
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
        refusal: { message: "Größer \u0001 \\u0000", contactUrl: null, showsAmounts: false },
        subjectCreatedAt: NOW + 1,
        budgetResetAt: NOW + 2,
        adopted: true,
        priorValues,
        encryptedKey: "v1.k.iv.body",
        metadata: { plan: "gold", gone: null },
        spend: aLedger({ spendNanoUsd: usd("0.000000001"), readAt: NOW + 7, resetsAt: null }),
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
          subjectMissingAt: null,
          litellmBlockedAt: null,
          overrides: [],
          endedOverrides: 0,
          createdAt: NOW,
          otherKeys: [],
          carriedNanoUsd: 0n,
          refusal: { message: "Größer \u0001 \\u0000", contactUrl: null, showsAmounts: false },
        },
        spend,
        sync: { status: "pending", error: null, since: NOW, budgetId: null, hasSetLimits: false, hasBlocked: false },
        adopted: true,
        priorValues,
        encryptedKey: "v1.k.iv.body",
        metadata: { plan: "gold" },
        settingsVersion: 1,
        markNonce: expect.stringMatching(/^[0-9a-f-]{36}$/),
        periodSeenAt: null,
        deletedAt: null,
        createdAt: NOW,
        updatedAt: NOW,
      });
      expect(await tenants.load(acme)).toEqual(created);
    });

    it("reports a taken id, and leaves the existing tenant unchanged", async () => {
      const first = await create();
      const again = aNewTenant({ subject: { kind: "key", id: hashOf("b") } });
      expect(await tenants.create(again, later)).toEqual({ ok: false, failure: "tenant_taken" });
      expect(await tenants.load(acme)).toEqual(first);
      expect(await audit()).toHaveLength(1);
    });

    it("reports a taken subject when key or team belongs to another tenant", async () => {
      await create();
      await create({ tenantId: idOf("team"), subject: { kind: "team", id: "t1" } });
      const sameKey = aNewTenant({ tenantId: idOf("other") });
      const sameTeam = aNewTenant({ tenantId: idOf("other"), subject: { kind: "team", id: "t1" } });
      expect(await tenants.create(sameKey, later)).toEqual({ ok: false, failure: "subject_taken" });
      expect(await tenants.create(sameTeam, later)).toEqual({ ok: false, failure: "subject_taken" });
      expect(await tenants.load(idOf("other"))).toBeNull();
    });

    it("reports a taken subject when the key belongs to a tenant with another subject", async () => {
      await create({ subject: { kind: "team", id: "t1" }, keyHashes: [hashOf("c")] });
      const byKey = aNewTenant({ tenantId: idOf("other"), subject: { kind: "key", id: hashOf("c") } });
      expect(await tenants.create(byKey, later)).toEqual({ ok: false, failure: "subject_taken" });
      expect(await tenants.load(idOf("other"))).toBeNull();
    });

    it("audits the whole tenant without its encrypted key", async () => {
      await create({ encryptedKey: "v1.k.iv.body", maxBudgetNanoUsd: usd("12.5") });
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

  describe("Postgres down", () => {
    it("throws an outage without parameters from every method", async () => {
      db.away();
      try {
        const verbs: Promise<unknown>[] = [
          tenants.load(acme),
          tenants.list(aTenantListQuery()),
          tenants.create(aNewTenant({ encryptedKey: "v1.secret" }), later),
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

    it("makes a change again that was the victim of a deadlock", async () => {
      await create();
      await db.query("create sequence attempts");
      await db.query(`create function fail_once() returns trigger language plpgsql as
        $$ begin if nextval('attempts') = 1 then raise deadlock_detected; end if; return new; end $$`);
      await db.query(
        "create trigger fail_once before update on tenant_configs for each row execute function fail_once()",
      );
      try {
        const changed = await tenants.change(acme, { maxBudgetNanoUsd: usd("600") }, later);
        expect(changed?.config.maxBudgetNanoUsd).toBe(usd("600"));
      } finally {
        await db.query("drop function fail_once cascade");
        await db.query("drop sequence attempts");
      }
    });

    it("throws a refusal by Postgres as a bug without parameters", async () => {
      const broken = aNewTenant({ encryptedKey: "v1.secret", graceThreshold: 9_999n });
      const error = await tenants.create(broken, later).catch((cause: unknown) => cause);
      expect(error).toMatchObject({ code: "23514", constraint: "tenant_configs_grace_threshold_range" });
      expect(error).not.toBeInstanceOf(Outage);
      expect(String(error)).not.toContain("secret");
    });
  });
});
