// Overrides on each Postgres backend: each change is atomic, audited, and made once under concurrency.

import { describe, expect, it } from "vitest";
import { postgresOverrides } from "../../../src/adapters/postgres/tenants/overrides.ts";
import { limitAt, limitVersion } from "../../../src/budget/limit.ts";
import { aLedger, DAY, MINUTE, NOW, RESET, usd } from "../../budget/builders.ts";
import { anActor, aSyncOutcome, idOf } from "../../support/builders/builders.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { aNewOverride } from "../../support/builders/override-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { auditLog, useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const key = { tenantId: acme, overrideId: uuidOf(1) };
const later = anActor({ name: "bob", requestId: "request-2", now: NOW + MINUTE });

describe.each(postgresBackends)("overrides on $name", (backend) => {
  const { db, tenants, create, saveLedger } = useTenants(backend);
  const overrides = postgresOverrides(() => db.database());
  const synced = async () => {
    const { config } = await create();
    await tenants.recordSync(acme, config.revision, aSyncOutcome());
  };
  const linesOf = async (action: string) => (await auditLog(db)).filter((line) => line.action === action);
  const grant = async (...[override, actor]: Parameters<typeof overrides.grant>) => {
    const granted = await overrides.grant(override, actor);
    return granted.ok ? granted.value : null;
  };
  const detailsOf = async (action: string) =>
    (await linesOf(action)).map((line) => (line as unknown as { detail: Record<string, unknown> }).detail);

  it("grants from its instant with a new revision, a pending sync, and an audit line with the reason", async () => {
    await synced();
    const before = await tenants.load(acme);
    const granted = await grant(aNewOverride(), later);
    expect(granted?.hasChanged).toBe(true);
    expect(granted?.override).toEqual({
      ...aNewOverride(),
      createdBy: "bob",
      createdAt: later.now,
      revokedAt: null,
      revokedBy: null,
    });
    expect(await tenants.load(acme)).toEqual(granted?.tenant);
    const { config, sync, updatedAt } = granted?.tenant ?? (await create());
    expect(config.revision).toBeGreaterThan(before?.config.revision ?? Number.POSITIVE_INFINITY);
    expect([config.configVersion, limitVersion(config, later.now), updatedAt]).toEqual([1, 2, later.now]);
    expect(limitAt(config, later.now).limitNanoUsd).toBe(usd("600"));
    expect(sync).toMatchObject({ status: "pending", error: null, since: later.now });
    expect(await linesOf("override_granted")).toMatchObject([
      {
        at: new Date(later.now),
        actor: "bob",
        request_id: "request-2",
        before: { tenant_id: "acme", max_budget: 500 },
        after: { tenant_id: "acme", max_budget: 500 },
        detail: {
          override_id: uuidOf(1),
          override_amount: 100,
          expires_at: "2026-11-16T12:00:00.000Z",
          reason: "launch week",
          granted_by: "bob",
        },
      },
    ]);
  });

  it("leaves the sync alone for an observed tenant", async () => {
    const { config } = await create({ enforcement: "observe" });
    await tenants.recordSync(acme, config.revision, aSyncOutcome());
    expect((await grant(aNewOverride(), later))?.tenant.sync.status).toBe("synced");
    expect((await overrides.revoke(key, later))?.tenant.sync.status).toBe("synced");
  });

  it("returns the first override when granted again by its operation, and refuses another one", async () => {
    await create();
    const operation = { id: "o", idempotency: { id: "i", bodyHash: "h" } };
    const first = await grant(aNewOverride(), anActor({ operation }));
    const again = await grant(aNewOverride({ id: uuidOf(2) }), { ...later, operation });
    expect(again).toEqual(first);
    expect(await linesOf("override_granted")).toHaveLength(1);
    const other = { ...later, operation: { id: "p", idempotency: { id: "i", bodyHash: "other" } } };
    expect(await overrides.grant(aNewOverride({ id: uuidOf(3) }), other)).toEqual({ ok: false, failure: "other_body" });
  });

  it("grants anew by the same operation after 24 h, once", async () => {
    await create();
    const operation = { id: "o", idempotency: { id: "i", bodyHash: "h" } };
    await grant(aNewOverride(), anActor({ operation }));
    const first = await grant(aNewOverride({ id: uuidOf(2) }), anActor({ operation, now: NOW + DAY - 1 }));
    const next = { operation, now: NOW + DAY };
    const expiresAt = NOW + 2 * DAY;
    const ids = [3, 4].map((number) => uuidOf(number));
    const all = await Promise.all(ids.map((id) => grant(aNewOverride({ id, expiresAt }), anActor(next))));
    expect(first?.override.id).toBe(uuidOf(1));
    const granted = [...new Set(all.map((each) => each?.override.id))];
    expect(granted).toHaveLength(1);
    expect(ids).toContain(granted[0]);
    expect(await linesOf("override_granted")).toHaveLength(2);
  });

  it("grants anew by several deliveries of one operation at once, none of which deadlocks", async () => {
    await create();
    for (const day of Array.from({ length: 8 }, (_, index) => index + 1)) {
      const actor = anActor({ operation: { id: "o", idempotency: { id: "i", bodyHash: "h" } }, now: NOW + day * DAY });
      const ids = Array.from({ length: 8 }, (_, index) => uuidOf(10 * day + index));
      const expiresAt = actor.now + DAY;
      const all = await Promise.all(ids.map((id) => grant(aNewOverride({ id, expiresAt }), actor)));
      expect(new Set(all.map((each) => each?.override.id)).size).toBe(1);
      expect(await linesOf("override_granted")).toHaveLength(day);
    }
  });

  it("grants nothing for a missing or deleted tenant", async () => {
    expect(await grant(aNewOverride(), later)).toBeNull();
    expect(await overrides.revoke(key, later)).toBeNull();
    await create();
    await grant(aNewOverride(), later);
    await tenants.markDeleted(acme, later);
    expect(await grant(aNewOverride({ id: uuidOf(2) }), later)).toBeNull();
    expect(await overrides.revoke(key, later)).toBeNull();
    expect(await overrides.recordEnds(10, NOW + 2 * DAY)).toEqual([]);
    expect(await overrides.listEnding({ after: NOW, until: NOW + 2 * DAY }, 10)).toEqual([]);
  });

  it("revokes at its instant with the actor, as a new limit version", async () => {
    await synced();
    await grant(aNewOverride(), anActor());
    const revoked = await overrides.revoke(key, later);
    expect(revoked).toMatchObject({ hasChanged: true, override: { revokedAt: later.now, revokedBy: "bob" } });
    const config = revoked?.tenant.config ?? (await create()).config;
    expect(limitAt(config, later.now).limitNanoUsd).toBe(usd("500"));
    expect(limitVersion(config, later.now)).toBe(3);
    expect(await tenants.load(acme)).toEqual(revoked?.tenant);
    expect(await detailsOf("override_revoked")).toMatchObject([{ override_id: uuidOf(1), granted_by: "alice" }]);
  });

  it("changes nothing when the override has ended, and finds none of another tenant", async () => {
    await create();
    await create({ tenantId: idOf("globex"), subject: { kind: "team", id: "t" } });
    await grant(aNewOverride(), anActor());
    expect(await overrides.revoke({ ...key, tenantId: idOf("globex") }, later)).toBeNull();
    const over = await overrides.revoke(key, anActor({ now: NOW + DAY }));
    expect(over).toMatchObject({ hasChanged: false, override: { revokedAt: null } });
    await overrides.revoke(key, later);
    expect((await overrides.revoke(key, anActor({ now: NOW + 2 * MINUTE })))?.override.revokedAt).toBe(later.now);
    expect(await linesOf("override_revoked")).toHaveLength(1);
  });

  it("applies every concurrent grant, and returns all of them to the last", async () => {
    await create();
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, index) => grant(aNewOverride({ id: uuidOf(index + 1) }), later)),
    );
    const inOrder = all.map((each) => each?.tenant.config).sort((a, b) => (a?.revision ?? 0) - (b?.revision ?? 0));
    expect(inOrder.map((config) => config?.overrides.length)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(inOrder.at(-1)).toEqual((await tenants.load(acme))?.config);
    expect(await linesOf("override_granted")).toHaveLength(8);
  });

  it("returns an earlier concurrent grant from a change of the tenant", async () => {
    for (let round = 0; round < 5; round++) {
      await db.empty();
      await create();
      const [granted, changed] = await Promise.all([
        grant(aNewOverride(), later),
        tenants.change(acme, { maxBudgetNanoUsd: usd("10") }, later),
      ]);
      const last = (granted?.tenant.config.revision ?? 0) > (changed?.config.revision ?? 0) ? granted?.tenant : changed;
      expect(last?.config).toEqual((await tenants.load(acme))?.config);
    }
  });

  it("returns an earlier concurrent grant from the ledger of a new period", async () => {
    const ledger = aLedger({ periodStartedAt: RESET, resetsAt: RESET + 30 * DAY });
    for (let round = 0; round < 5; round++) {
      await db.empty();
      const { config } = await create();
      const [granted, recorded] = await Promise.all([grant(aNewOverride(), later), saveLedger(config, ledger)]);
      const isGrantLast = (granted?.tenant.config.revision ?? 0) > (recorded?.config.revision ?? 0);
      const last = isGrantLast ? granted?.tenant : recorded;
      expect(last?.config).toEqual((await tenants.load(acme))?.config);
    }
  });

  it("grants once for eight concurrent requests of one operation", async () => {
    await create();
    const actor = { ...later, operation: { id: "o", idempotency: null } };
    const ids = Array.from({ length: 8 }, (_, index) => uuidOf(index + 1));
    const all = await Promise.all(ids.map((id) => grant(aNewOverride({ id }), actor)));
    expect(new Set(all.map((each) => each?.override.id)).size).toBe(1);
    expect(await linesOf("override_granted")).toHaveLength(1);
  });

  it("revokes once for concurrent requests", async () => {
    await create();
    await grant(aNewOverride(), anActor());
    const all = await Promise.all(Array.from({ length: 8 }, () => overrides.revoke(key, later)));
    expect(all.filter((each) => each?.hasChanged)).toHaveLength(1);
    expect(await linesOf("override_revoked")).toHaveLength(1);
  });

  it("records an expiry once, with an audit line and a pending sync", async () => {
    await synced();
    await grant(aNewOverride(), anActor());
    await tenants.recordSync(acme, (await tenants.load(acme))?.config.revision ?? 0, aSyncOutcome());
    expect(await overrides.recordEnds(10, NOW + DAY - 1)).toEqual([]);
    const before = await tenants.load(acme);
    expect(before?.sync.status).toBe("synced");
    expect(await overrides.recordEnds(10, NOW + DAY)).toMatchObject([{ id: uuidOf(1), tenantId: "acme" }]);
    const after = await tenants.load(acme);
    expect(after).toMatchObject({ sync: { status: "pending", since: NOW + DAY }, updatedAt: NOW + DAY });
    expect(after?.config.revision).toBeGreaterThan(before?.config.revision ?? Number.POSITIVE_INFINITY);
    expect(await overrides.recordEnds(10, NOW + 2 * DAY)).toEqual([]);
    expect(await linesOf("override_ended")).toMatchObject([
      { at: new Date(NOW + DAY), actor: "bursar", before: { tenant_id: "acme" }, detail: { override_id: uuidOf(1) } },
    ]);
  });

  it("loads the overrides whose end is recorded as a number, with the limit and the limit version of them all", async () => {
    await create();
    const ends = [1, 2, 3, 4].map((days) => NOW + days * DAY);
    for (const [index, expiresAt] of ends.entries())
      await overrides.grant(aNewOverride({ id: uuidOf(index + 1), expiresAt }), anActor());
    const whole = (await tenants.load(acme))?.config ?? (await create()).config;
    await overrides.recordEnds(10, NOW + 2 * DAY);
    const folded = (await tenants.load(acme))?.config ?? whole;
    expect([whole.overrides.length, whole.endedOverrides]).toEqual([4, 0]);
    expect([folded.overrides.length, folded.endedOverrides]).toEqual([2, 2]);
    for (const now of ends.slice(1)) {
      expect(limitAt(folded, now)).toEqual(limitAt(whole, now));
      expect(limitVersion(folded, now)).toBe(limitVersion(whole, now));
    }
  });

  it("records each end once under concurrent sweeps and revocations", async () => {
    for (const name of ["acme", "globex", "initech"]) {
      const tenantId = idOf(name);
      await create({ tenantId, subject: { kind: "team", id: name } });
      await grant(aNewOverride({ tenantId, id: uuidOf(name.length * 10) }), anActor());
      await grant(aNewOverride({ tenantId, id: uuidOf(name.length * 10 + 1) }), anActor());
    }
    const sweeps = Array.from({ length: 6 }, () => overrides.recordEnds(10, NOW + DAY));
    const revocation = overrides.revoke({ tenantId: acme, overrideId: uuidOf(40) }, later);
    const ended = (await Promise.all(sweeps)).flat();
    const isRevoked = (await revocation)?.hasChanged === true;
    // The sweep skips a tenant that a revocation has locked. The next sweep takes it.
    ended.push(...(await overrides.recordEnds(10, NOW + DAY)));
    expect(new Set(ended.map(({ id }) => id)).size).toBe(ended.length);
    expect(ended).toHaveLength(isRevoked ? 5 : 6);
    expect(await linesOf("override_ended")).toHaveLength(ended.length);
  });

  it("records ends in portions, earliest first", async () => {
    for (const [index, name] of ["acme", "globex"].entries()) {
      const tenantId = idOf(name);
      await create({ tenantId, subject: { kind: "team", id: name } });
      const expiresAt = NOW + DAY - index * MINUTE;
      await grant(aNewOverride({ tenantId, id: uuidOf(index + 1), expiresAt }), anActor());
    }
    expect(await overrides.recordEnds(1, NOW + DAY)).toMatchObject([{ tenantId: "globex" }]);
    expect(await overrides.recordEnds(1, NOW + DAY)).toMatchObject([{ tenantId: "acme" }]);
  });

  it("lists overrides that end soon while LiteLLM has the tenant's limits", async () => {
    await create();
    await create({ tenantId: idOf("seen"), subject: { kind: "team", id: "t" }, enforcement: "observe" });
    await grant(aNewOverride(), anActor());
    await grant(aNewOverride({ id: uuidOf(2), expiresAt: NOW + DAY + 1 }), anActor());
    await grant(aNewOverride({ id: uuidOf(3), tenantId: idOf("seen") }), anActor());
    const ending = (after: number, until: number) => overrides.listEnding({ after, until }, 10);
    expect(await ending(NOW, NOW + DAY)).toMatchObject([{ tenantId: "acme", expiresAt: NOW + DAY }]);
    expect(await ending(NOW + DAY, NOW + DAY + 1)).toMatchObject([{ expiresAt: NOW + DAY + 1 }]);
    await overrides.revoke(key, later);
    expect(await ending(NOW, NOW + DAY)).toEqual([]);
  });

  it("lists a tenant's overrides, newest first, paged", async () => {
    await create();
    await create({ tenantId: idOf("globex"), subject: { kind: "team", id: "t" } });
    for (const n of [1, 2, 3]) await grant(aNewOverride({ id: uuidOf(n) }), anActor({ now: NOW + n }));
    await grant(aNewOverride({ id: uuidOf(4), tenantId: idOf("globex") }), anActor());
    const first = await overrides.list({ tenantId: acme, before: null, limit: 2 });
    expect(first.rows.map(({ id }) => id)).toEqual([uuidOf(3), uuidOf(2)]);
    const second = await overrides.list({ tenantId: acme, before: first.next, limit: 2 });
    expect(second).toMatchObject({ rows: [{ id: uuidOf(1) }], next: null });
  });
});
