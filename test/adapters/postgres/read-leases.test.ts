// Leases on every Postgres there is: whose turn it is, that nobody gets what somebody has, and that they run out.

import { beforeEach, describe, expect, it } from "vitest";
import { postgresReadLeases } from "../../../src/adapters/postgres/tenants/read-leases.ts";
import { aSpendRecord, MINUTE, NOW } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders.ts";
import { postgresBackends } from "../../support/postgres-backends.ts";
import { useTenants } from "../../support/tenant-database.ts";

const UNTIL = NOW + 10 * MINUTE;
const DUE = { readBefore: NOW - 45 * MINUTE, until: UNTIL, limit: 100, now: NOW };

describe.each(postgresBackends)("leases on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const leases = postgresReadLeases(() => db.database());
  /** `readMinutesAgo` null: it has a figure, and was never read; undefined: it has none. */
  const has = (name: string, readMinutesAgo?: number | null) =>
    create({
      tenantId: idOf(name),
      subject: { kind: "team", id: name },
      spend:
        readMinutesAgo === undefined
          ? null
          : aSpendRecord({ readAt: readMinutesAgo === null ? null : NOW - readMinutesAgo * MINUTE }),
    });

  describe("taking", () => {
    it("begins with whom nobody ever read, then goes on from the least recently read", async () => {
      await has("recent", 50);
      await has("old", 500);
      await has("unread", null);
      await has("without-figure");
      expect(await leases.take({ ...DUE, limit: 3 })).toEqual(["unread", "without-figure", "old"]);
      expect(await leases.take(DUE)).toEqual(["recent"]);
    });

    it("leaves alone whom somebody has read since, to the millisecond, and who is deleted", async () => {
      await has("just-due", 45);
      await has("gone", 500);
      await tenants.markDeleted(idOf("gone"), anActor());
      expect(await leases.take(DUE)).toEqual([]);
      expect(await leases.take({ ...DUE, readBefore: DUE.readBefore + 1 })).toEqual(["just-due"]);
    });

    it("never gives one to two sweeps at once", async () => {
      const names = Array.from({ length: 60 }, (_, index) => `t${String(index).padStart(2, "0")}`);
      for (const name of names) await has(name, 100);
      const sweeps = Array.from({ length: 6 }, () => leases.take({ ...DUE, limit: 15 }));
      const taken = (await Promise.all(sweeps)).flat();
      expect(new Set(taken).size).toBe(taken.length);
      expect([...taken, ...(await leases.take(DUE))].sort()).toEqual(names);
    });

    it("takes up what ran out, although it was read meanwhile: whoever had it did not finish", async () => {
      await has("acme", 500);
      await leases.take(DUE);
      await db.query("update tenant_spend set read_at = $1", [new Date(NOW)]);
      expect(await leases.take({ ...DUE, now: UNTIL })).toEqual([]);
      expect(await leases.take({ ...DUE, now: UNTIL + 1 })).toEqual(["acme"]);
    });

    it("gives the tenant no new revision, and says nothing in the audit", async () => {
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

    it("moves those that are still as they were taken, and says which", async () => {
      expect((await leases.move(all, UNTIL, UNTIL + MINUTE)).sort()).toEqual(["a", "b"]);
      expect(await leases.move(all, UNTIL, UNTIL + MINUTE)).toEqual([]);
    });

    it("lets one of two at once have them, each whole", async () => {
      const [one, two] = await Promise.all([
        leases.move(all, UNTIL, UNTIL + 1),
        leases.move(all.toReversed(), UNTIL, UNTIL + 2),
      ]);
      expect([...one, ...two].sort()).toEqual(["a", "b"]);
      expect(Math.min(one.length, two.length)).toBe(0);
    });

    it("to null ends them: who was read since is left alone, and others have their turn", async () => {
      await db.query("update tenant_spend set read_at = $1 where tenant_id = 'a'", [new Date(NOW)]);
      await leases.move(all, UNTIL, null);
      expect(await leases.take(DUE)).toEqual(["b", "c"]);
    });

    it("asks nobody about nobody", async () => {
      db.away();
      expect(await leases.move([], UNTIL, null)).toEqual([]);
      db.back();
    });
  });

  it("throws an outage while Postgres is away", async () => {
    db.away();
    await expect(leases.take(DUE).finally(() => db.back())).rejects.toMatchObject({ dependency: "postgres" });
  });
});
