// Which channels get a delivery of an alert, and what becomes of those that wait for a digest, on each backend.

import { beforeEach, describe, expect, it } from "vitest";
import { postgresAlerts } from "../../../src/adapters/postgres/alerts/alerts.ts";
import { postgresPlatformAlerts } from "../../../src/adapters/postgres/alerts/platform-alerts.ts";
import { postgresDeliveries } from "../../../src/adapters/postgres/notices/deliveries.ts";
import { postgresSpendBatches } from "../../../src/adapters/postgres/spend-batches.ts";
import type { AlertEventType } from "../../../src/budget/alert.ts";
import type { TenantId } from "../../../src/budget/tenant.ts";
import type { AlertId } from "../../../src/records/alert.ts";
import type { DeliveryKey } from "../../../src/records/delivery.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { insertChannel } from "../../support/builders/alert-rows.ts";
import { idOf } from "../../support/builders/builders.ts";
import { anAlert, channelIdOf, uuidOf } from "../../support/builders/notice-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const HOUR = 60 * MINUTE;
const END_OF_HOUR = (Math.floor(NOW / HOUR) + 1) * HOUR;
const acme = idOf("acme");

describe.each(postgresBackends)("the audience of an alert on $name", (backend) => {
  const { db, create } = useTenants(backend);
  const alerts = postgresAlerts(() => db.database());
  const platformAlerts = postgresPlatformAlerts(() => db.database());
  const deliveries = postgresDeliveries(() => db.database());
  const spendBatches = postgresSpendBatches(() => db.database());
  let revision: number;
  beforeEach(async () => {
    await db.query("truncate notification_channels cascade");
    ({ revision } = (await create()).config);
  });

  /** The channels, by number, that get a delivery at once. */
  async function record(eventType: AlertEventType, tenantId: TenantId = acme, now = NOW, ofRevision = revision) {
    const basis = { revision: ofRevision, spendNanoUsd: "any" } as const;
    const draft = { ...anAlert({ eventType, tenantId }), identity: `${eventType}/${tenantId}`, threshold: null };
    const entry = { tenantId, lastEvaluation: null, evaluation: null, drafts: [draft], basis, now };
    return numbersOf((await alerts.record(entry))?.deliveries ?? []);
  }
  const numbersOf = (keys: readonly DeliveryKey[]) => keys.map(({ channelId }) => Number(channelId.slice(-2))).sort();

  it("holds every channel whose severity and events it matches", async () => {
    const channels: Record<string, unknown>[] = [
      { tenant_id: "acme" },
      { tenant_id: "acme", min_severity: "warning" },
      { tenant_id: "acme", min_severity: "critical" },
      { tenant_id: "acme", events: ["override_granted"] },
      { min_severity: "critical" },
      { events: ["budget_blocked", "budget_resolved"] },
      { events: ["budget_blocked"], enabled: false },
    ];
    for (const [index, columns] of channels.entries()) await insertChannel(db, { id: uuidOf(index + 1), ...columns });
    expect(await record("threshold_crossed")).toEqual([1, 2]);
    expect(await record("budget_blocked")).toEqual([1, 2, 3, 5, 6]);
    expect(await record("budget_resolved")).toEqual([1, 2, 3, 5, 6]);
    expect(await record("override_granted")).toEqual([1, 4]);
    expect(await record("budget_reset")).toEqual([1]);
  });

  it("holds for the end of a block or a suspension each channel that asks for its beginning", async () => {
    await insertChannel(db, { id: uuidOf(1), kind: "pagerduty", events: ["budget_blocked", "tenant_suspended"] });
    await insertChannel(db, { id: uuidOf(2), events: ["budget_crossed"] });
    expect(await record("budget_resolved")).toEqual([1]);
    expect(await record("tenant_resumed")).toEqual([1]);
  });

  it("holds each channel of the platform that asks for a condition and its severity", async () => {
    const channels = [{}, { min_severity: "critical" }, { events: ["platform.dead_letter"] }, { tenant_id: "acme" }];
    for (const [index, columns] of channels.entries()) await insertChannel(db, { id: uuidOf(index + 1), ...columns });
    const told = async (kind: "dead_letter" | "litellm_out") =>
      numbersOf((await platformAlerts.record([{ kind, detail: {} }], { remindBefore: 0, now: NOW })).deliveries);
    expect(await told("dead_letter")).toEqual([1, 3]);
    expect(await told("litellm_out")).toEqual([1, 2]);
  });

  describe("a reset", () => {
    /** Two channels of the platform ask for resets, one does not. */
    beforeEach(async () => {
      for (const number of [1, 2]) await insertChannel(db, { id: uuidOf(number), events: ["budget_reset"] });
      await insertChannel(db, { id: uuidOf(3) });
    });
    const members = () =>
      db.query(`select status, next_attempt_at, digest_at, attempts, last_error from notice_deliveries
        where alert_id is not null order by channel_id, alert_id`);
    async function resets(count: number) {
      for (let number = 1; number <= count; number++) {
        const name = `t${number}`;
        const { config } = await create({
          tenantId: idOf(name),
          subject: { kind: "team", id: name },
          name: `Team ${number}`,
        });
        expect(await record("budget_reset", idOf(name), NOW, config.revision)).toEqual([]);
      }
    }

    it("waits at the platform's channels that ask for it until the end of its hour, and is one digest each", async () => {
      await resets(6);
      const waiting = { status: "pending", next_attempt_at: null, digest_at: new Date(END_OF_HOUR) };
      expect(await members()).toEqual(Array(12).fill({ ...waiting, attempts: 0, last_error: null }));
      expect(await deliveries.gatherDigests(END_OF_HOUR - 1)).toEqual([]);
      const digests = await deliveries.gatherDigests(END_OF_HOUR);
      expect(numbersOf(digests)).toEqual([1, 2]);
      expect(await deliveries.gatherDigests(END_OF_HOUR)).toEqual([]);
      const [digest] = await deliveries.load(digests);
      expect(digest).toMatchObject({
        delivery: { status: "pending", nextAttemptAt: END_OF_HOUR },
        platformAlert: {
          kind: "budgets_reset",
          detail: { tenants: 6, names: "Team 1, Team 2, Team 3, Team 4, Team 5" },
          begunAt: END_OF_HOUR - HOUR,
          createdAt: END_OF_HOUR,
        },
      });
    });

    it("never leaves by itself, not even with a redelivered report of its tenant", async () => {
      await resets(1);
      const [member] = await db.query("select alert_id from notice_deliveries");
      const key = { alertId: String(member?.["alert_id"]) as AlertId, channelId: channelIdOf(1) };
      expect(await deliveries.load([key])).toEqual([]);
      const [batch] = await spendBatches.load([{ kind: "tenant", id: idOf("t1") }], { withPending: true });
      expect(batch?.pending).toEqual([]);
    });

    it("ends together with its digest: given up, and sent after a replay", async () => {
      await resets(2);
      const digests = await deliveries.gatherDigests(END_OF_HOUR);
      const one = digests.find(({ channelId }) => channelId === channelIdOf(1)) as DeliveryKey;
      const end = { hasNotArrived: true, at: END_OF_HOUR };
      const ofFirst = async () => (await members()).slice(0, 2).map(({ status, last_error }) => [status, last_error]);
      await deliveries.end(one, { ...end, status: "failed", error: "500" });
      expect(await ofFirst()).toEqual(Array(2).fill(["failed", "500"]));
      await deliveries.revive(one, END_OF_HOUR);
      await deliveries.end(one, { ...end, status: "sent", error: null });
      expect(await ofFirst()).toEqual(Array(2).fill(["sent", null]));
      expect((await members()).slice(2).map(({ status }) => status)).toEqual(["pending", "pending"]);
    });

    it("belongs to one digest when two sweeps overlap, and in a second one when it comes late", async () => {
      await resets(2);
      const sweeps = await Promise.all([1, 2, 3].map(() => deliveries.gatherDigests(END_OF_HOUR)));
      expect(numbersOf(sweeps.flat())).toEqual([1, 2]);
      await record("budget_reset");
      expect(numbersOf(await deliveries.gatherDigests(END_OF_HOUR))).toEqual([1, 2]);
    });
  });

  describe("a refusal for good", () => {
    const key = { alertId: "" as AlertId, channelId: channelIdOf(1) };
    beforeEach(async () => {
      await insertChannel(db, { id: uuidOf(1), name: "gone" });
      await insertChannel(db, { id: uuidOf(2) });
      await insertChannel(db, { id: uuidOf(3), min_severity: "critical" });
      await insertChannel(db, { id: uuidOf(4), tenant_id: "acme" });
    });
    const delivered = async (eventType: AlertEventType) => {
      await record(eventType);
      const [row] = await db.query("select id from budget_alert_history where event_type = $1", [eventType]);
      return { ...key, alertId: String(row?.["id"]) as AlertId };
    };
    const channel = async () =>
      (
        await db.query("select last_error, last_error_at, broken_since from notification_channels where id = $1", [
          uuidOf(1),
        ])
      )[0];
    const error = "status 404, no_service";

    it("marks the channel as broken and tells the platform once, through its other channels", async () => {
      const first = await delivered("threshold_crossed");
      const second = await delivered("budget_blocked");
      const told = await deliveries.recordRejection(first, { error, at: NOW });
      expect(numbersOf(told)).toEqual([2]);
      expect(await deliveries.load(told)).toMatchObject([
        {
          platformAlert: {
            kind: "channel_broken",
            detail: { channel_id: uuidOf(1), channel: "gone", channel_kind: "slack", tenant_id: null, error },
          },
        },
      ]);
      expect(await deliveries.recordRejection(second, { error: "status 410", at: NOW + MINUTE })).toEqual([]);
      expect(await channel()).toEqual({
        last_error: "status 410",
        last_error_at: new Date(NOW + MINUTE),
        broken_since: new Date(NOW),
      });
      expect(await deliveries.load([first, second])).toMatchObject([
        { delivery: { status: "failed" } },
        { delivery: { status: "failed" } },
      ]);
      const lines = await db.query(
        "select tenant_id, detail->>'channel' as channel from audit_log where action = 'channel_broken'",
      );
      expect(lines).toEqual([{ tenant_id: null, channel: "gone" }]);
    });

    it("goes once a notice is sent, and the next one is told again", async () => {
      await deliveries.recordRejection(await delivered("threshold_crossed"), { error, at: NOW });
      const sent = await delivered("budget_blocked");
      await deliveries.end(sent, { status: "sent", error: null, hasNotArrived: false, at: NOW });
      expect(await channel()).toEqual({ last_error: null, last_error_at: null, broken_since: null });
      expect(
        numbersOf(await deliveries.recordRejection(await delivered("budget_crossed"), { error, at: NOW })),
      ).toEqual([2]);
    });

    it("changes nothing about a delivery that has ended", async () => {
      const ended = await delivered("threshold_crossed");
      await deliveries.end(ended, { status: "sent", error: null, hasNotArrived: false, at: NOW });
      expect(await deliveries.recordRejection(ended, { error, at: NOW })).toEqual([]);
      expect(await channel()).toEqual({ last_error: null, last_error_at: null, broken_since: null });
    });
  });
});
