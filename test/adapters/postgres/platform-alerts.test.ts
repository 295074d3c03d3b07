// Platform alerts on each Postgres backend: which conditions hold, and that each is announced once.

import { beforeEach, describe, expect, it } from "vitest";
import { postgresPlatformAlerts } from "../../../src/adapters/postgres/alerts/platform-alerts.ts";
import { postgresDeadLetters } from "../../../src/adapters/postgres/notices/dead-letters.ts";
import type { PlatformCondition } from "../../../src/records/platform-alert.ts";
import { aLedger, DAY, MINUTE, NOW } from "../../budget/builders.ts";
import { insertChannel } from "../../support/builders/alert-rows.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const HOUR = 60 * MINUTE;
const BOUNDS = {
  lettersSince: NOW - DAY,
  pendingBefore: NOW - 15 * MINUTE,
  readBefore: NOW - 2 * HOUR,
  unreadBefore: NOW - HOUR,
};
const NO_SIGNS = { deadLetters: null, pendingSyncs: null, missingSubjects: null, unreadTenants: null, silence: null };

describe.each(postgresBackends)("platform alerts on $name", (backend) => {
  const { db, create } = useTenants(backend);
  const platform = postgresPlatformAlerts(() => db.database());
  const letters = postgresDeadLetters(() => db.database());
  beforeEach(() => db.query("truncate dead_letters"));

  describe("conditions", () => {
    const letter = (messageId: string, recordedAt = NOW, body: unknown = {}) =>
      letters.record({ queue: "bursar-spend", messageId, body, attempts: 1, error: `of ${messageId}`, recordedAt });

    it("finds no condition without tenants", async () => {
      expect(await platform.evaluate(BOUNDS)).toEqual(NO_SIGNS);
    });

    it("finds dead letters of the last day until replayed, with the newest", async () => {
      await letter("old", NOW - DAY);
      expect(await platform.evaluate(BOUNDS)).toEqual(NO_SIGNS);
      await letter("one", NOW - MINUTE);
      await letter("two", NOW);
      const signs = { count: 2, queue: "bursar-spend", error: "of two" };
      expect((await platform.evaluate(BOUNDS)).deadLetters).toEqual(signs);
      for (const { id } of (await letters.list({ before: null, limit: 9 })).rows)
        await letters.markReplayed(id, anActor());
      expect(await platform.evaluate(BOUNDS)).toEqual(NO_SIGNS);
    });

    it("ignores dead letters of platform notices", async () => {
      await platform.record([{ kind: "litellm_out", detail: {} }], { remindBefore: NOW - DAY, now: NOW });
      const [alert] = await db.query<{ id: string }>("select id from platform_alerts");
      await letter("own", NOW, { kind: "notice", alert_id: alert?.id, channel_id: uuidOf(1) });
      expect(await platform.evaluate(BOUNDS)).toEqual(NO_SIGNS);
    });

    it("finds tenants without a subject in LiteLLM at once, with the one that has waited longest", async () => {
      await create({ spend: aLedger() });
      const [b, c] = ["b", "c"].map((name) => ({ tenantId: idOf(name), subject: { kind: "team", id: name } as const }));
      for (const other of [b, c]) await create({ ...other, spend: aLedger() });
      const since = (id: string, at: number) =>
        db.query("update tenant_configs set subject_missing_at = $2 where tenant_id = $1", [id, new Date(at)]);
      await since("b", NOW - MINUTE);
      await since("c", NOW - HOUR);
      const missing = { count: 2, since: NOW - HOUR, tenantId: "c" };
      expect((await platform.evaluate(BOUNDS)).missingSubjects).toEqual(missing);
      await db.query("update tenant_configs set deleted_at = now() where tenant_id = 'c'");
      expect((await platform.evaluate(BOUNDS)).missingSubjects).toMatchObject({ count: 1, tenantId: "b" });
    });

    it("finds syncs pending for a quarter of an hour, with the oldest", async () => {
      await create({ spend: aLedger() });
      const waits = (since: number) =>
        db.query(
          "update tenant_configs set litellm_sync = 'pending', litellm_sync_since = $1, litellm_sync_error = 'no'",
          [new Date(since)],
        );
      await waits(BOUNDS.pendingBefore + 1);
      expect(await platform.evaluate(BOUNDS)).toEqual(NO_SIGNS);
      await waits(BOUNDS.pendingBefore);
      expect((await platform.evaluate(BOUNDS)).pendingSyncs).toMatchObject({
        count: 1,
        since: BOUNDS.pendingBefore,
        tenantId: "acme",
        error: "no",
      });
    });

    it("finds silence when no tenant was read for long although one should have been", async () => {
      await create({ spend: aLedger({ readAt: BOUNDS.readBefore }) });
      const is = (sync: string, createdAt: number) =>
        db.query("update tenant_configs set litellm_sync = $1, created_at = $2", [sync, new Date(createdAt)]);
      const silence = async () => (await platform.evaluate(BOUNDS)).silence;
      await is("synced", BOUNDS.readBefore);
      expect(await silence()).toEqual({ lastReadAt: BOUNDS.readBefore });
      // A new tenant, or one that LiteLLM does not have yet, need not have been read.
      await is("synced", BOUNDS.readBefore + 1);
      expect(await silence()).toBeNull();
      await is("pending", BOUNDS.readBefore);
      expect(await silence()).toBeNull();
      await is("synced", BOUNDS.readBefore);
      await db.query("update tenant_spend set read_at = $1", [new Date(BOUNDS.readBefore + 1)]);
      expect(await silence()).toBeNull();
      await db.query("delete from tenant_spend");
      expect(await silence()).toEqual({ lastReadAt: null });
    });
  });

  describe("recording", () => {
    beforeEach(async () => {
      await db.query("truncate notification_channels cascade");
      await create();
      await insertChannel(db, { id: uuidOf(1) });
      await insertChannel(db, { id: uuidOf(2), tenant_id: "acme" });
      await insertChannel(db, { id: uuidOf(3), enabled: false });
    });
    const holds: PlatformCondition = { kind: "litellm_out", detail: { since: "2026-11-15T12:00:00.000Z" } };
    const isOver: PlatformCondition = { kind: "litellm_out", detail: null };
    const at = async (now: number, ...conditions: PlatformCondition[]) => {
      const { alerts, deliveries } = await platform.record(conditions, { remindBefore: now - DAY, now });
      return { kinds: alerts.map(({ kind }) => kind), channels: deliveries.map(({ channelId }) => channelId) };
    };
    const NOTHING = { kinds: [], channels: [] };
    const TOLD = { kinds: ["litellm_out"], channels: [uuidOf(1)] };

    it("notifies the enabled platform channels once while the condition lasts", async () => {
      expect(await at(NOW, holds)).toEqual(TOLD);
      expect(await at(NOW + MINUTE, holds)).toEqual(NOTHING);
      expect(await db.query("select status, next_attempt_at, alert_id from notice_deliveries")).toEqual([
        { status: "pending", next_attempt_at: new Date(NOW), alert_id: null },
      ]);
    });

    it("notifies again when the condition ends and returns", async () => {
      await at(NOW, holds);
      expect(await at(NOW + MINUTE, isOver)).toEqual(NOTHING);
      expect(await at(NOW + 2 * MINUTE, holds)).toEqual(TOLD);
      expect(await db.query("select begun_at, ended_at from platform_alerts order by begun_at")).toEqual([
        { begun_at: new Date(NOW), ended_at: new Date(NOW + MINUTE) },
        { begun_at: new Date(NOW + 2 * MINUTE), ended_at: null },
      ]);
    });

    it("reminds after a day, with the start of the condition", async () => {
      await at(NOW, holds);
      expect(await at(NOW + DAY - 1, holds)).toEqual(NOTHING);
      const { alerts } = await platform.record([holds], { remindBefore: NOW, now: NOW + DAY });
      expect(alerts).toMatchObject([{ begunAt: NOW, createdAt: NOW + DAY, detail: holds.detail }]);
      expect(await at(NOW + DAY + MINUTE, holds)).toEqual(NOTHING);
    });

    it("tells of a tenant's event once a day, as one of its own, and of another tenant's too", async () => {
      const fell = (tenant_id: string): PlatformCondition => ({ kind: "spend_fell", detail: { tenant_id } });
      const FELL = { kinds: ["spend_fell"], channels: [uuidOf(1)] };
      expect(await at(NOW, fell("acme"))).toEqual(FELL);
      expect(await at(NOW + DAY - 1, fell("acme"))).toEqual(NOTHING);
      const both = await at(NOW + MINUTE, fell("globex"), fell("initech"));
      expect(both).toEqual({ kinds: ["spend_fell", "spend_fell"], channels: [uuidOf(1), uuidOf(1)] });
      const { alerts } = await platform.record([fell("acme")], { remindBefore: NOW + DAY, now: NOW + 2 * DAY });
      expect(alerts).toMatchObject([{ begunAt: NOW + 2 * DAY, createdAt: NOW + 2 * DAY }]);
    });

    it("tells of at most ten events of a kind in an hour", async () => {
      const fell = (number: number): PlatformCondition => ({ kind: "spend_fell", detail: { tenant_id: `t${number}` } });
      for (let number = 0; number < 10; number++) expect((await at(NOW, fell(number))).kinds).toHaveLength(1);
      expect(await at(NOW + MINUTE, fell(10))).toEqual(NOTHING);
      expect((await at(NOW + HOUR, fell(10))).kinds).toHaveLength(1);
    });

    it("neither starts nor ends a condition that was not evaluated", async () => {
      await at(NOW, holds);
      await at(NOW + MINUTE);
      await at(NOW + MINUTE, { kind: "dead_letter", detail: null });
      expect(await at(NOW + MINUTE, holds)).toEqual(NOTHING);
    });

    it("notifies once under concurrent sweeps, also of reminders", async () => {
      const both: PlatformCondition[] = [holds, { kind: "sync_pending", detail: { tenants: 1 } }];
      for (const now of [NOW, NOW + DAY]) {
        const recorded = await Promise.all(Array.from({ length: 5 }, () => at(now, ...both)));
        expect(recorded.flatMap(({ kinds }) => kinds).sort()).toEqual(["litellm_out", "sync_pending"]);
        expect(recorded.flatMap(({ channels }) => channels)).toEqual([uuidOf(1), uuidOf(1)]);
      }
    });

    it("audits the alert with its detail", async () => {
      await at(NOW, holds);
      const [line] = await db.query(
        "select actor, tenant_id, detail from audit_log where action = 'platform_alert_recorded'",
      );
      expect(line).toMatchObject({
        actor: "bursar",
        tenant_id: null,
        detail: { kind: "litellm_out", ...holds.detail },
      });
    });
  });
});
