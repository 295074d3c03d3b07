// Leases on each Postgres backend: their order, their exclusiveness, and their expiry.

import { beforeEach, describe, expect, it } from "vitest";
import { postgresReadLeases } from "../../../src/adapters/postgres/read-leases.ts";
import { aLedger, MINUTE, NOW } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const UNTIL = NOW + 10 * MINUTE;
const DUE = { readBefore: NOW - 45 * MINUTE, until: UNTIL, limit: 100, now: NOW };

describe.each(postgresBackends)("leases on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const leases = postgresReadLeases(() => db.database());
  /** `readMinutesAgo` null: spend that was never read from LiteLLM; undefined: no spend. */
  const has = (name: string, readMinutesAgo?: number | null) =>
    create({
      tenantId: idOf(name),
      subject: { kind: "team", id: name },
      spend:
        readMinutesAgo === undefined
          ? null
          : aLedger({ readAt: readMinutesAgo === null ? null : NOW - readMinutesAgo * MINUTE }),
    });

  describe("taking", () => {
    it("takes tenants never read first, then the least recently read", async () => {
      await has("recent", 50);
      await has("old", 500);
      await has("unread", null);
      await has("without-figure");
      expect(await leases.take({ ...DUE, limit: 3 })).toEqual(["unread", "without-figure", "old"]);
      expect(await leases.take(DUE)).toEqual(["recent"]);
    });

    it("leaves tenants read since, to the millisecond, and deleted ones", async () => {
      await has("just-due", 45);
      await has("gone", 500);
      await tenants.markDeleted(idOf("gone"), anActor());
      expect(await leases.take(DUE)).toEqual([]);
      expect(await leases.take({ ...DUE, readBefore: DUE.readBefore + 1 })).toEqual(["just-due"]);
    });

    it("never gives a tenant to two concurrent sweeps", async () => {
      const names = Array.from({ length: 60 }, (_, index) => `t${String(index).padStart(2, "0")}`);
      for (const name of names) await has(name, 100);
      const sweeps = Array.from({ length: 6 }, () => leases.take({ ...DUE, limit: 15 }));
      const taken = (await Promise.all(sweeps)).flat();
      expect(new Set(taken).size).toBe(taken.length);
      expect([...taken, ...(await leases.take(DUE))].sort()).toEqual(names);
    });

    it("takes an expired lease even if the tenant was read meanwhile", async () => {
      await has("acme", 500);
      await leases.take(DUE);
      await db.query("update tenant_spend set read_at = $1", [new Date(NOW)]);
      expect(await leases.take({ ...DUE, now: UNTIL })).toEqual([]);
      expect(await leases.take({ ...DUE, now: UNTIL + 1 })).toEqual(["acme"]);
    });

    it("writes no new revision and no audit line", async () => {
      const before = await has("acme", 500);
      await leases.take(DUE);
      expect(await tenants.load(idOf("acme"))).toEqual(before);
      expect(await db.query("select action from audit_log")).toEqual([{ action: "tenant_created" }]);
    });
  });

  describe("moving", () => {
    beforeEach(async () => {
      for (const name of ["a", "b", "c"]) await has(name, 500);
      await leases.take({ ...DUE, limit: 2 });
    });
    const all = ["a", "b", "c"].map(idOf);

    it("moves unchanged leases, and returns them", async () => {
      expect((await leases.move(all, UNTIL, UNTIL + MINUTE)).sort()).toEqual(["a", "b"]);
      expect(await leases.move(all, UNTIL, UNTIL + MINUTE)).toEqual([]);
    });

    it("lets one of two concurrent callers move them", async () => {
      const [one, two] = await Promise.all([
        leases.move(all, UNTIL, UNTIL + 1),
        leases.move(all.toReversed(), UNTIL, UNTIL + 2),
      ]);
      expect([...one, ...two].sort()).toEqual(["a", "b"]);
      expect(Math.min(one.length, two.length)).toBe(0);
    });

    it("releases leases with null, so that unread tenants can be taken again", async () => {
      await db.query("update tenant_spend set read_at = $1 where tenant_id = 'a'", [new Date(NOW)]);
      await leases.move(all, UNTIL, null);
      expect(await leases.take(DUE)).toEqual(["b", "c"]);
    });

    it("runs no query for an empty list", async () => {
      db.away();
      expect(await leases.move([], UNTIL, null)).toEqual([]);
      db.back();
    });
  });

  it("throws an outage while Postgres is down", async () => {
    db.away();
    await expect(leases.take(DUE).finally(() => db.back())).rejects.toMatchObject({ dependency: "postgres" });
  });
});
