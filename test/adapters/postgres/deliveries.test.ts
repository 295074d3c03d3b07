// Deliveries on each Postgres backend: loaded, ended once, postponed, claimed by one sweep, revived.

import { beforeEach, describe, expect, it, vi } from "vitest";
import { postgresDeliveries } from "../../../src/adapters/postgres/notices/deliveries.ts";
import type { Deliveries } from "../../../src/ports/notice-stores.ts";
import type { AlertId } from "../../../src/records/alert.ts";
import type { ChannelId } from "../../../src/records/channel.ts";
import type { DeliveryKey } from "../../../src/records/delivery.ts";
import { MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { insertAlert, insertChannel, insertDelivery } from "../../support/builders/alert-rows.ts";
import { alertIdOf, anAlert, channelIdOf, uuidOf } from "../../support/builders/notice-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const KEY: DeliveryKey = { alertId: alertIdOf(1), channelId: channelIdOf(1) };
const ATTEMPT = { turnAt: null, isAttempt: true, hasNotArrived: true };
const STRANGERS: DeliveryKey[] = [
  { alertId: alertIdOf(9), channelId: channelIdOf(1) },
  { alertId: "'; drop table" as AlertId, channelId: channelIdOf(1) },
  { alertId: alertIdOf(1), channelId: "\0" as ChannelId },
];

describe.each(postgresBackends)("deliveries on $name", (backend) => {
  const { db, create } = useTenants(backend);
  const deliveries: Deliveries = postgresDeliveries(() => db.database());
  beforeEach(async () => {
    await db.query("truncate notification_channels cascade");
    await create({ name: "Acme Inc.", metadata: { crm_id: "4711" } });
    await insertAlert(db);
    await insertChannel(db);
  });

  const load = async (key: DeliveryKey) => (await deliveries.load([key]))[0] ?? null;
  const rows = () =>
    db.query(`select status, attempts, last_error, next_attempt_at, sent_at, updated_at from notice_deliveries
      order by alert_id, channel_id`);
  const PENDING = {
    status: "pending",
    attempts: 0,
    last_error: null,
    next_attempt_at: new Date(NOW),
    sent_at: null,
    updated_at: new Date(NOW),
  };

  describe("loading", () => {
    it("returns everything that a notice is rendered from", async () => {
      await insertDelivery(db, { attempts: 2, last_error: "500", next_attempt_at: new Date(NOW + SECOND) });
      expect(await load(KEY)).toEqual({
        delivery: {
          ...KEY,
          status: "pending",
          attempts: 2,
          nextAttemptAt: NOW + SECOND,
          lastError: "500",
          turnAt: null,
          sentAt: null,
        },
        alert: anAlert({ identity: `identity of ${uuidOf(1)}` }),
        channel: {
          id: uuidOf(1),
          tenantId: null,
          kind: "slack",
          name: "ops",
          encryptedTarget: "sealed",
          targetHint: "hooks.slack.com",
          enabled: true,
          events: null,
          minSeverity: "info",
          lastError: null,
          lastErrorAt: null,
          brokenSince: null,
          createdAt: NOW,
          version: 1,
          updatedAt: NOW,
        },
        tenantName: "Acme Inc.",
        tenantMetadata: { crm_id: "4711" },
        alertThreshold: 8_000n,
        graceThreshold: 11_000n,
        enforcement: "enforce",
      });
    });

    it("loads the notice of a tenant without a name", async () => {
      await db.query("update tenant_configs set name = null");
      await insertDelivery(db);
      expect(await load(KEY)).toMatchObject({ tenantName: null, enforcement: "enforce" });
    });

    it("keeps every digit of nano-dollars and basis points", async () => {
      const percentage = "9999999999999999999999999999.99";
      await db.query("update budget_alert_history set spend = '0.000000001', threshold = 109.99, percentage = $1", [
        percentage,
      ]);
      await insertDelivery(db);
      expect(await load(KEY)).toMatchObject({
        alert: { spendNanoUsd: 1n, threshold: 10_999n, used: BigInt(percentage.replace(".", "")) },
      });
    });

    it("returns the detail as recorded, and null for missing fields", async () => {
      const detail = { override_amount: "12.5", expires_at: "2026-11-20T00:00:00.000Z", note: null, count: 2 };
      await db.query(
        "update budget_alert_history set event_type = 'override_granted', threshold = null, percentage = null, resets_at = null, detail = $1",
        [detail],
      );
      await insertDelivery(db);
      expect(await load(KEY)).toMatchObject({
        alert: { detail, threshold: null, used: null, resetsAt: null },
      });
    });

    it("returns null when alert or channel does not exist", async () => {
      await insertDelivery(db);
      for (const key of STRANGERS) expect(await load(key)).toBeNull();
      await db.query("delete from notification_channels");
      expect(await load(KEY)).toBeNull();
    });

    it("leaves out a delivery whose alert cannot be read, and names it", async () => {
      await insertAlert(db, { id: uuidOf(2), threshold: "NaN" });
      const bad = { ...KEY, alertId: alertIdOf(2) };
      for (const key of [KEY, bad]) await insertDelivery(db, { ...key });
      const onUnreadable = vi.fn();
      expect(await deliveries.load([KEY, bad], onUnreadable)).toMatchObject([{ delivery: KEY }]);
      expect(onUnreadable).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(bad), expect.any(Error));
      await expect(deliveries.load([KEY, bad])).rejects.toThrow();
    });
  });

  describe("ending", () => {
    it.each([
      ["sent", null, 1, new Date(NOW + SECOND)],
      ["skipped", "not configured", 0, null],
      ["failed", "403", 1, null],
    ] as const)("%s is final", async (status, error, attempts, sentAt) => {
      await insertDelivery(db);
      await deliveries.end(KEY, { status, error, hasNotArrived: false, at: NOW + SECOND });
      const ended = [
        {
          status,
          attempts,
          last_error: error,
          next_attempt_at: null,
          sent_at: sentAt,
          updated_at: new Date(NOW + SECOND),
        },
      ];
      expect(await rows()).toEqual(ended);
      for (const other of ["sent", "skipped", "failed"] as const) {
        await deliveries.end(KEY, { status: other, error: "late", hasNotArrived: false, at: NOW + MINUTE });
      }
      await deliveries.postpone(KEY, { ...ATTEMPT, error: "late", nextAttemptAt: NOW + MINUTE, at: NOW + MINUTE });
      expect(await rows()).toEqual(ended);
    });

    it("changes no other delivery", async () => {
      await insertChannel(db, { id: uuidOf(2) });
      await insertDelivery(db);
      await insertDelivery(db, { channelId: channelIdOf(2) });
      for (const key of [KEY, ...STRANGERS])
        await deliveries.end(key, { status: "sent", error: null, hasNotArrived: false, at: NOW });
      expect((await rows()).map(({ status }) => status)).toEqual(["sent", "pending"]);
    });

    it("stores an error with characters that Postgres rejects", async () => {
      await insertDelivery(db);
      await deliveries.end(KEY, { status: "failed", error: "a\0b\ud83d", hasNotArrived: false, at: NOW });
      expect(await rows()).toMatchObject([{ last_error: "a\ufffdb\ufffd" }]);
    });
  });

  it("postpones with the attempt, the next due time and the error", async () => {
    await insertDelivery(db);
    await deliveries.postpone(KEY, { ...ATTEMPT, error: "500", nextAttemptAt: NOW + 10 * SECOND, at: NOW });
    await deliveries.postpone(KEY, { ...ATTEMPT, error: "50\0", nextAttemptAt: NOW + MINUTE, at: NOW + SECOND });
    for (const key of STRANGERS)
      await deliveries.postpone(key, { ...ATTEMPT, error: "?", nextAttemptAt: NOW, at: NOW });
    expect(await rows()).toEqual([
      {
        ...PENDING,
        attempts: 2,
        last_error: "50\ufffd",
        next_attempt_at: new Date(NOW + MINUTE),
        updated_at: new Date(NOW + SECOND),
      },
    ]);
  });

  describe("claiming overdue deliveries", () => {
    const many = async (count: number) => {
      for (let number = 2; number <= count; number++) await insertChannel(db, { id: uuidOf(number) });
      for (let number = 1; number <= count; number++) {
        await insertDelivery(db, { channelId: channelIdOf(number), next_attempt_at: new Date(NOW - number * MINUTE) });
      }
    };

    it("claims pending ones due before, longest overdue first, up to the limit", async () => {
      await many(4);
      await deliveries.end(
        { ...KEY, channelId: channelIdOf(4) },
        { status: "sent", error: null, hasNotArrived: false, at: NOW },
      );
      await insertAlert(db, { id: uuidOf(2) });
      await insertDelivery(db, { alertId: alertIdOf(2), next_attempt_at: null });
      const taken = () => deliveries.claimOverdue(NOW - MINUTE, 1, NOW);
      expect(await taken()).toEqual([{ ...KEY, channelId: channelIdOf(3) }]);
      expect(await taken()).toEqual([{ ...KEY, channelId: channelIdOf(2) }]);
      // The first delivery was due exactly at that instant.
      expect(await taken()).toEqual([]);
    });

    it("leaves them pending with no attempts, due now", async () => {
      await many(1);
      await deliveries.claimOverdue(NOW, 10, NOW);
      expect(await rows()).toEqual([PENDING]);
    });

    it("gives each to one of several concurrent sweeps", async () => {
      await many(12);
      const sweeps = Array.from({ length: 5 }, () => deliveries.claimOverdue(NOW, 5, NOW));
      const taken = (await Promise.all(sweeps)).flat().map(({ channelId }) => channelId);
      const rest = (await deliveries.claimOverdue(NOW, 100, NOW)).map(({ channelId }) => channelId);
      expect([...taken, ...rest].sort()).toEqual(Array.from({ length: 12 }, (_, index) => uuidOf(index + 1)));
    });
  });

  describe("platform alerts", () => {
    const platformKey = { alertId: alertIdOf(7), channelId: channelIdOf(1) };
    beforeEach(async () => {
      await db.query(
        `insert into platform_alerts (id, kind, detail, begun_at, created_at)
         values ($1, 'sync_pending', '{"tenants": 2, "error": null}', $2, $3)`,
        [alertIdOf(7), new Date(NOW - MINUTE), new Date(NOW)],
      );
      await db.query(
        "insert into notice_deliveries (platform_alert_id, channel_id, next_attempt_at) values ($1, $2, $3)",
        [alertIdOf(7), channelIdOf(1), new Date(NOW - MINUTE)],
      );
    });

    it("loads the delivery with its platform alert and without a tenant", async () => {
      const loaded = await load(platformKey);
      expect(loaded).toMatchObject({
        delivery: { ...platformKey, status: "pending" },
        platformAlert: {
          id: alertIdOf(7),
          kind: "sync_pending",
          detail: { tenants: 2, error: null },
          begunAt: NOW - MINUTE,
          createdAt: NOW,
        },
        channel: { id: uuidOf(1) },
      });
      expect(loaded).not.toHaveProperty("alert");
    });

    it("claims, postpones, ends and revives the delivery like any other", async () => {
      await insertDelivery(db, { next_attempt_at: new Date(NOW - 2 * MINUTE) });
      expect(await deliveries.claimOverdue(NOW, 10, NOW)).toEqual([KEY, platformKey]);
      await deliveries.postpone(platformKey, { ...ATTEMPT, error: "500", nextAttemptAt: NOW + SECOND, at: NOW });
      await deliveries.end(platformKey, { status: "failed", error: "500", hasNotArrived: false, at: NOW });
      const status = async () => (await load(platformKey))?.delivery;
      expect(await status()).toMatchObject({ status: "failed", attempts: 2, lastError: "500" });
      await deliveries.revive(platformKey, NOW);
      expect(await status()).toMatchObject({ status: "pending", attempts: 0 });
      expect((await load(KEY))?.delivery).toMatchObject({ status: "pending", attempts: 0 });
    });
  });

  describe("reviving", () => {
    it("makes a failed delivery pending with no attempts", async () => {
      await insertDelivery(db, { status: "failed", attempts: 6, last_error: "500", next_attempt_at: null });
      await deliveries.revive(KEY, NOW + MINUTE);
      for (const key of STRANGERS) await deliveries.revive(key, NOW);
      const soon = new Date(NOW + MINUTE);
      expect(await rows()).toEqual([{ ...PENDING, next_attempt_at: soon, updated_at: soon }]);
    });

    it.each(["pending", "sent", "skipped"] as const)("leaves a %s delivery unchanged", async (status) => {
      await insertDelivery(db, { status, attempts: 3, last_error: "why" });
      const before = await rows();
      await deliveries.revive(KEY, NOW + MINUTE);
      expect(await rows()).toEqual(before);
    });
  });

  it.each<[string, () => Promise<unknown>]>([
    ["loading", () => load(KEY)],
    ["ending", () => deliveries.end(KEY, { status: "sent", error: null, hasNotArrived: false, at: NOW })],
    ["postponing", () => deliveries.postpone(KEY, { ...ATTEMPT, error: "500", nextAttemptAt: NOW, at: NOW })],
    ["taking", () => deliveries.claimOverdue(NOW, 1, NOW)],
    ["reviving", () => deliveries.revive(KEY, NOW)],
  ])("throws an outage while Postgres is down: %s", async (_, call) => {
    db.away();
    await expect(call().finally(() => db.back())).rejects.toMatchObject({ name: "Outage", dependency: "postgres" });
  });
});
