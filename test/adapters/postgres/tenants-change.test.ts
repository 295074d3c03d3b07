// Changing and suspending tenants, on each Postgres backend: one statement that locks, updates and audits.

import { describe, expect, it } from "vitest";
import type { Ledger } from "../../../src/budget/counting.ts";
import { aLedger, DAY, MINUTE, NOW, PERIOD_START, RESET, usd } from "../../budget/builders.ts";
import { anActor, aSyncOutcome, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { auditLog, useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const later = anActor({ name: "bob", requestId: "request-2", now: NOW + MINUTE });

describe.each(postgresBackends)("Tenants on $name", (backend) => {
  const { db, tenants, create, saveLedger } = useTenants(backend);
  const audit = () => auditLog(db);

  describe("changing", () => {
    it("changes only the given fields, and audits before and after", async () => {
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
    ] as const)("raises the limit version only when the limit changes: %s", async (_, change, version) => {
      await create();
      expect((await tenants.change(acme, change, later))?.config.configVersion).toBe(version);
    });

    it("bumps and audits nothing when nothing differs", async () => {
      const before = await create({ name: "Acme" });
      const same = { maxBudgetNanoUsd: usd("500"), name: "Acme", budgetDuration: "30d", failPolicy: null } as const;
      expect(await tenants.change(acme, same, later)).toEqual(before);
      expect(await tenants.change(acme, {}, later)).toEqual(before);
      expect(await audit()).toHaveLength(1);
    });

    it("clears a name, a duration, a fail policy", async () => {
      await create({ name: "Acme", failPolicy: "closed" });
      const changed = await tenants.change(acme, { name: null, budgetDuration: null, failPolicy: null }, later);
      expect(changed?.config).toMatchObject({ name: null, budgetDuration: null, failPolicy: null });
    });

    it("sets the sync to pending only for changes that LiteLLM needs", async () => {
      const { config } = await create();
      await tenants.recordSync(acme, config.revision, aSyncOutcome());
      expect((await tenants.change(acme, { name: "x", failPolicy: "open" }, later))?.sync.status).toBe("synced");
      const pending = await tenants.change(acme, { alertThreshold: 9_000n }, later);
      expect(pending?.sync).toMatchObject({ status: "pending", error: null, since: later.now });
    });

    it("keeps the time since which the sync is pending", async () => {
      await create();
      expect((await tenants.change(acme, { maxBudgetNanoUsd: usd("1") }, later))?.sync.since).toBe(NOW);
    });

    it("returns null for a missing or deleted tenant", async () => {
      expect(await tenants.change(acme, { name: "x" }, later)).toBeNull();
      await create();
      await tenants.markDeleted(acme, later);
      expect(await tenants.change(acme, { name: "x" }, later)).toBeNull();
    });

    it("X5: applies concurrent changes one after the other, each whole and audited", async () => {
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

  describe("the kill switch", () => {
    it("sets its instant, a later revision and an audit line once, and restarts a pending sync", async () => {
      const { config } = await create();
      const [first, second] = await Promise.all([1, 2].map(() => tenants.setSuspended(acme, true, anActor())));
      expect([first?.auditId, second?.auditId].filter((id) => id === null)).toHaveLength(1);
      expect(first?.tenant).toEqual(second?.tenant);
      expect(first?.tenant).toMatchObject({
        config: { suspendedAt: NOW, configVersion: 1 },
        sync: { status: "pending" },
      });
      expect(first?.tenant.config.revision).toBeGreaterThan(config.revision);
      expect(await tenants.setSuspended(idOf("nobody"), true, anActor())).toBeNull();
    });
  });

  it("never moves the time of the last change back, whatever the clocks", async () => {
    const { config } = await create({ subjectCreatedAt: PERIOD_START, budgetResetAt: RESET, spend: aLedger() });
    const ahead = Date.UTC(2100, 0, 1);
    await tenants.change(acme, { name: "ahead" }, anActor({ now: ahead }));
    const read = { readAt: NOW + MINUTE, observedAt: NOW + MINUTE };
    const record = (of: Partial<Ledger>) => saveLedger(config, aLedger({ ...read, ...of }));
    const followed = await record({ resetsAt: RESET + MINUTE });
    expect(followed).toMatchObject({ updatedAt: ahead, config: { budgetResetAt: RESET + MINUTE } });
    const advanced = await record({
      periodStartedAt: RESET + MINUTE,
      resetsAt: RESET + DAY,
      readAt: RESET + 2 * MINUTE,
    });
    expect(advanced).toMatchObject({ updatedAt: ahead, config: { litellmKeyLastReset: RESET + MINUTE } });
    expect((await tenants.change(acme, { name: "behind" }, later))?.updatedAt).toBe(ahead);
    expect((await tenants.setSuspended(acme, true, later))?.tenant.updatedAt).toBe(ahead);
    expect((await tenants.markDeleted(acme, later))?.updatedAt).toBe(ahead);
  });
});
