// The LiteLLM sync on each Postgres backend: outcomes, errors, and the order of retries.

import { describe, expect, it } from "vitest";
import type { SubjectFinding, TenantRecord } from "../../../src/records/tenant.ts";
import { MINUTE, NOW, RESET, SECOND, usd } from "../../budget/builders.ts";
import { aNewTenant, anActor, aSyncOutcome, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const later = anActor({ now: NOW + MINUTE });
const HOUR = 60 * MINUTE;
const PRIOR = { maxBudget: "20", softBudget: null, budgetDuration: "30d", metadata: { tenant_id: "theirs" } };

describe.each(postgresBackends)("the LiteLLM sync on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  /** A team tenant; teams allow many tenants. */
  const createTeam = (id: string) => create({ tenantId: idOf(id), subject: { kind: "team", id } });
  const fail = ({ config }: TenantRecord, triedAt: number, isUnreachable = false) =>
    tenants.recordSync(config.tenantId, config.revision, { status: "pending", triedAt, error: "no", isUnreachable });

  describe("what a read shows of the subject", () => {
    const SUBJECT = { tenantId: acme, subjectId: aNewTenant().subject.id };
    const note = (finding: SubjectFinding, minutes = 0, subject = SUBJECT) =>
      tenants.noteSubject(subject, finding, NOW + minutes * MINUTE);
    const actions = async () =>
      (await db.query<{ action: string }>("select action from audit_log order by id")).map(({ action }) => action);

    it("keeps the first instant once recorded, a later revision and an audit line, and ends with the next", async () => {
      const before = await create();
      const missing = await note("missing");
      expect(missing?.config).toMatchObject({ subjectMissingAt: NOW, litellmBlockedAt: null });
      expect(missing?.config.revision).toBeGreaterThan(before.config.revision);
      expect(await note("missing", 1)).toBeNull();
      const blocked = await note("blocked", 2);
      expect(blocked?.config).toMatchObject({ subjectMissingAt: null, litellmBlockedAt: NOW + 2 * MINUTE });
      expect(await note("blocked", 3)).toBeNull();
      const usable = await note("usable", 4);
      expect(usable?.config).toMatchObject({ subjectMissingAt: null, litellmBlockedAt: null, configVersion: 1 });
      expect(await note("usable", 5)).toBeNull();
      expect(await actions()).toEqual(["tenant_created", "subject_missing", "subject_blocked", "subject_usable"]);
      const [line] = await db.query("select actor, before, after from audit_log where action = 'subject_missing'");
      expect(line).toMatchObject({
        actor: "bursar",
        before: { subject_missing_at: null },
        after: { subject_missing_at: new Date(NOW).toISOString() },
      });
    });

    it("records nothing of another subject, of a key that is not created yet, or of a deleted tenant", async () => {
      await create({ encryptedKey: "v1.k.iv.body" });
      expect(await note("missing")).toBeNull();
      await db.query("update tenant_configs set sealed_key = null");
      expect(await note("missing", 0, { ...SUBJECT, subjectId: "another" })).toBeNull();
      await tenants.markDeleted(acme, later);
      expect(await note("missing")).toBeNull();
    });

    it("records a finding once when two consumers read at the same time", async () => {
      await create();
      const noted = await Promise.all([note("missing"), note("missing")]);
      expect(noted.filter((tenant) => tenant !== null)).toHaveLength(1);
      expect(await actions()).toEqual(["tenant_created", "subject_missing"]);
    });
  });

  describe("recording a sync", () => {
    it("erases the encrypted key and stores LiteLLM's dates for a new key, with a later revision", async () => {
      const created = await create({ encryptedKey: "v1.k.iv.body", budgetResetAt: null });
      const outcome = aSyncOutcome({ budgetId: "b1", subjectCreatedAt: NOW + 5 });
      const recorded = await tenants.recordSync(acme, created.config.revision, outcome);
      expect(recorded).toMatchObject({
        config: { budgetResetAt: RESET, subjectCreatedAt: NOW + 5 },
        sync: { status: "synced", error: null, budgetId: "b1" },
        encryptedKey: null,
      });
      expect(recorded?.config.revision).toBeGreaterThan(created.config.revision);
    });

    it("never moves the start of a started period", async () => {
      const created = await create();
      const outcome = aSyncOutcome({ subjectCreatedAt: NOW + 5 });
      expect((await tenants.recordSync(acme, created.config.revision, outcome))?.config).toEqual(created.config);
    });

    it("keeps the budget object created with the key, whatever the key is linked to later", async () => {
      const { config } = await create();
      await tenants.recordSync(acme, config.revision, aSyncOutcome({ budgetId: "ours" }));
      await tenants.recordSync(acme, config.revision, aSyncOutcome({ budgetId: "shared" }));
      expect((await tenants.recordSync(acme, config.revision, aSyncOutcome()))?.sync.budgetId).toBe("ours");
    });

    it("stores a new end of the current period that this sync caused", async () => {
      const { config } = await create({ budgetResetAt: RESET });
      const outcome = aSyncOutcome({ hasMovedReset: true, resetsAt: RESET - 1 });
      expect((await tenants.recordSync(acme, config.revision, outcome))?.config.budgetResetAt).toBe(RESET - 1);
    });

    it("leaves any other end to a read, which may advance the period", async () => {
      const { config } = await create({ budgetResetAt: RESET });
      const byClockAhead = aSyncOutcome({ readAt: RESET - SECOND, resetsAt: RESET + HOUR });
      expect((await tenants.recordSync(acme, config.revision, byClockAhead))?.config.budgetResetAt).toBe(RESET);
      const afterEnd = aSyncOutcome({ readAt: RESET, resetsAt: RESET + HOUR, hasMovedReset: true });
      expect((await tenants.recordSync(acme, config.revision, afterEnd))?.config.budgetResetAt).toBe(RESET);
    });

    it("returns null when the desired state has changed, and leaves the sync pending", async () => {
      const { config } = await create({ encryptedKey: "v1.k.iv.body" });
      await tenants.change(acme, { maxBudgetNanoUsd: usd("1") }, later);
      expect(await tenants.recordSync(acme, config.revision, aSyncOutcome())).toBeNull();
      expect(await tenants.load(acme)).toMatchObject({ sync: { status: "pending" }, encryptedKey: "v1.k.iv.body" });
    });

    it("stores the error and the start of a pending sync", async () => {
      const created = await create();
      expect((await fail(created, NOW + SECOND))?.sync).toMatchObject({ status: "pending", error: "no", since: NOW });
      const { config } = created;
      const taken = await tenants.recordSync(acme, config.revision, aSyncOutcome({ triedAt: NOW + MINUTE }));
      expect(taken?.sync).toMatchObject({ status: "synced", error: null, since: NOW + MINUTE });
      expect((await fail(created, NOW + HOUR))?.sync).toMatchObject({ status: "pending", since: NOW + HOUR });
    });

    it("records limits from before they are sent until `observe` has synced", async () => {
      const observed = await create({ enforcement: "observe", priorValues: PRIOR });
      expect(observed.sync.hasSetLimits).toBe(false);
      const enforced = await tenants.change(acme, { enforcement: "enforce" }, later);
      expect(enforced?.sync.hasSetLimits).toBe(false);
      const kept = await tenants.recordPriorValues(acme, enforced?.config.revision ?? 0, PRIOR);
      expect(kept?.sync.hasSetLimits).toBe(true);
      const again = await tenants.change(acme, { enforcement: "observe" }, later);
      expect(again?.sync.hasSetLimits).toBe(true);
      const lifted = await tenants.recordSync(acme, again?.config.revision ?? 0, aSyncOutcome());
      expect(lifted?.sync.hasSetLimits).toBe(false);
    });
  });

  describe("prior values", () => {
    const later = { ...PRIOR, maxBudget: "30", metadata: { tenant_id: "acme" } };

    it("stores prior values once: the current limits, the original metadata", async () => {
      const { config } = await create({ enforcement: "observe", priorValues: PRIOR });
      const kept = await tenants.recordPriorValues(acme, config.revision, later);
      expect(kept?.priorValues).toEqual({ ...PRIOR, maxBudget: "30" });
      expect(await tenants.recordPriorValues(acme, config.revision, PRIOR)).toBeNull();
      expect((await tenants.load(acme))?.priorValues).toEqual({ ...PRIOR, maxBudget: "30" });
    });

    it("stores no prior values when the desired state has changed", async () => {
      const { config } = await create({ enforcement: "observe", priorValues: PRIOR });
      await tenants.change(acme, { name: "x" }, anActor());
      expect(await tenants.recordPriorValues(acme, config.revision, later)).toBeNull();
      expect((await tenants.load(acme))?.priorValues).toEqual(PRIOR);
    });
  });

  describe("retries", () => {
    /** The tenants claimed at that instant. */
    const tried = (now: number, limit = 10) => tenants.claimPendingSyncs(limit, now);

    it("starves no tenant behind forty that always fail", async () => {
      const stubborn: string[] = [];
      for (let index = 0; index < 40; index++) stubborn.push((await createTeam(`t${index}`)).config.tenantId);
      expect((await tried(NOW + MINUTE, 40)).toSorted()).toEqual(stubborn.toSorted());
      const last = await tenants.create(
        aNewTenant({ tenantId: idOf("last"), subject: { kind: "team", id: "last" } }),
        anActor({ now: NOW + HOUR }),
      );
      expect(last.ok).toBe(true);
      expect((await tried(NOW + HOUR + MINUTE, 40))[0]).toBe("last");
    });

    it("backs off exponentially from a minute to an hour", async () => {
      await create();
      let now = NOW + MINUTE;
      expect(await tried(now)).toEqual([acme]);
      for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60, 60]) {
        expect([minutes, await tried(now + minutes * MINUTE - 1)]).toEqual([minutes, []]);
        now += minutes * MINUTE;
        expect([minutes, await tried(now)]).toEqual([minutes, [acme]]);
      }
    });

    it("retries every minute while LiteLLM is down", async () => {
      const created = await create();
      for (let minute = 1; minute < 10; minute++) {
        expect([minute, await tried(NOW + minute * MINUTE)]).toEqual([minute, [acme]]);
        await fail(created, NOW + minute * MINUTE, true);
      }
    });

    it("counts an administrator's own sync as the first try", async () => {
      const created = await create();
      await fail(created, NOW + SECOND);
      expect(await tried(NOW + MINUTE)).toEqual([]);
      expect(await tried(NOW + SECOND + MINUTE)).toEqual([acme]);
      await fail(created, NOW + SECOND + MINUTE);
      expect(await tried(NOW + SECOND + 3 * MINUTE - 1)).toEqual([]);
      expect(await tried(NOW + SECOND + 3 * MINUTE)).toEqual([acme]);
    });

    it("restarts the backoff after a change, a deletion, or a success", async () => {
      const created = await create();
      for (let round = 0; round < 5; round++) await tried(NOW + (round + 1) * HOUR);
      const now = NOW + 5 * HOUR;
      expect(await tried(now + MINUTE)).toEqual([]);
      await tenants.change(acme, { name: "none of LiteLLM's business" }, later);
      expect(await tried(now + MINUTE)).toEqual([]);
      await tenants.change(acme, { maxBudgetNanoUsd: usd("1") }, later);
      expect(await tried(now + MINUTE)).toEqual([acme]);
      expect(await tried(now + 2 * MINUTE)).toEqual([acme]);
      await tenants.markDeleted(acme, later);
      expect(await tried(now + 2 * MINUTE)).toEqual([acme]);
      expect(await tried(now + 3 * MINUTE)).toEqual([acme]);

      const { config } = await createTeam("red");
      for (let round = 0; round < 5; round++) await tried(now + (round + 1) * HOUR);
      await tenants.recordSync(config.tenantId, config.revision, aSyncOutcome({ triedAt: now + 6 * HOUR }));
      await fail({ ...created, config }, now + 7 * HOUR);
      expect(await tried(now + 7 * HOUR + MINUTE)).toContain("red");
    });

    it("leaves a change younger than thirty seconds to the request that made it", async () => {
      await create();
      expect(await tried(NOW + 30 * SECOND - 1)).toEqual([]);
      expect(await tried(NOW + 30 * SECOND)).toEqual([acme]);
    });

    it("gives each tenant to one of two concurrent sweeps", async () => {
      for (const id of ["a", "b", "c", "d"]) await createTeam(id);
      const [first, second] = await Promise.all([tried(NOW + MINUTE, 3), tried(NOW + MINUTE, 3)]);
      expect([...first, ...second].toSorted()).toEqual(["a", "b", "c", "d"]);
    });

    it("claims only pending syncs, least recently tried first, up to the limit", async () => {
      const done = await createTeam("done");
      await tenants.recordSync(done.config.tenantId, done.config.revision, aSyncOutcome());
      await fail(await createTeam("lately"), NOW + 2 * SECOND);
      await fail(await createTeam("before"), NOW + SECOND);
      await createTeam("never");
      expect(await tried(NOW + HOUR, 2)).toEqual(["never", "before"]);
      expect(await tried(NOW + HOUR, 2)).toEqual(["lately"]);
    });
  });
});
