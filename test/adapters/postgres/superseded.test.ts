// A notice that a newer alert has made untrue is superseded at the moment of its attempt, on each Postgres backend.

import { beforeEach, describe, expect, it } from "vitest";
import { postgresDeliveries } from "../../../src/adapters/postgres/notices/deliveries.ts";
import type { AlertEventType } from "../../../src/budget/alert.ts";
import type { DeliveryStatus } from "../../../src/records/delivery.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { insertAlert, insertChannel, insertDelivery } from "../../support/builders/alert-rows.ts";
import { alertIdOf, channelIdOf, uuidOf } from "../../support/builders/notice-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

describe.each(postgresBackends)("superseded deliveries on $name", (backend) => {
  const { db, create } = useTenants(backend);
  const deliveries = postgresDeliveries(() => db.database());
  beforeEach(async () => {
    await db.query("truncate notification_channels cascade");
    await create();
    for (const number of [1, 2]) await insertChannel(db, { id: uuidOf(number) });
  });

  /** Records the alerts one minute after another. A null status: the channel does not get it. */
  async function recorded(...alerts: [AlertEventType, DeliveryStatus | null, Record<string, unknown>?][]) {
    for (const [index, [eventType, status, columns = {}]] of alerts.entries()) {
      const { openAttempts = 0, ...ofAlert } = columns;
      const id = uuidOf(index + 1);
      const spent = eventType === "budget_resolved" && { spend: "100", percentage: "20" };
      const createdAt = new Date(NOW + index * MINUTE);
      await insertAlert(db, { id, event_type: eventType, created_at: createdAt, ...spent, ...ofAlert });
      const channelId = channelIdOf(status === null ? 2 : 1);
      const delivery = { status: status ?? "pending", open_attempts: openAttempts };
      await insertDelivery(db, { alertId: alertIdOf(index + 1), channelId, ...delivery });
    }
  }
  const key = (number: number) => ({ alertId: alertIdOf(number), channelId: channelIdOf(1) });
  const begin = (number: number) => deliveries.begin(key(number), { nextAttemptAt: NOW, now: NOW });

  it.each<[AlertEventType, AlertEventType]>([
    ["threshold_crossed", "budget_crossed"],
    ["threshold_crossed", "budget_resolved"],
    ["budget_crossed", "budget_blocked"],
    ["budget_blocked", "budget_resolved"],
    ["budget_blocked", "budget_blocked"],
    ["tenant_suspended", "tenant_resumed"],
    ["tenant_resumed", "tenant_suspended"],
  ])("supersedes %s between two attempts once %s is recorded", async (older, newer) => {
    await recorded([older, "pending"], [newer, "pending"]);
    expect(await begin(1)).toBe("superseded");
    const [row] = await db.query("select status, next_attempt_at from notice_deliveries where alert_id = $1", [
      uuidOf(1),
    ]);
    expect(row).toEqual({ status: "superseded", next_attempt_at: null });
    expect(await begin(1)).toBe("changed");
  });

  it.each<[AlertEventType, AlertEventType]>([
    ["budget_blocked", "threshold_crossed"],
    ["budget_crossed", "threshold_crossed"],
    ["budget_reset", "budget_reset"],
    ["budget_blocked", "budget_reset"],
    ["tenant_suspended", "budget_resolved"],
  ])("sends %s although %s is newer", async (older, newer) => {
    await recorded([older, "pending"], [newer, "sent"]);
    expect(await begin(1)).toBe("begun");
  });

  it("supersedes a crossing of the limit by a lower threshold of another limit", async () => {
    await recorded(["budget_crossed", "pending"], ["threshold_crossed", "pending", { limit_version: 2 }]);
    expect(await begin(1)).toBe("superseded");
  });

  it("supersedes a crossing of the limit by a lower threshold of another period", async () => {
    const next = { period_started_at: new Date(NOW + MINUTE) };
    await recorded(["budget_crossed", "pending"], ["threshold_crossed", "pending", next]);
    expect(await begin(1)).toBe("superseded");
  });

  it("supersedes an override's grant by the end of the same override only", async () => {
    const [one, two] = [{ detail: { override_id: "one" } }, { detail: { override_id: "two" } }];
    await recorded(
      ["override_granted", "pending", one],
      ["override_granted", "pending", two],
      ["override_ended", "pending", two],
    );
    expect([await begin(1), await begin(2), await begin(3)]).toEqual(["begun", "superseded", "begun"]);
  });

  it("supersedes nothing by an alert of another tenant, of the same instant, or without a delivery to the channel", async () => {
    await create({ tenantId: "other" as never, subject: { kind: "team", id: "other" } as never });
    await recorded(
      ["budget_blocked", "pending"],
      ["budget_resolved", null],
      ["budget_resolved", "pending", { tenant_id: "other" }],
      ["budget_blocked", "pending", { created_at: new Date(NOW) }],
    );
    expect(await begin(1)).toBe("begun");
  });

  describe("the end of a block", () => {
    it.each<[string, DeliveryStatus, number, string]>([
      ["was sent", "sent", 0, "begun"],
      ["may have arrived", "pending", 1, "begun"],
      ["may have arrived before it was given up", "failed", 1, "begun"],
      ["certainly did not arrive", "pending", 0, "superseded"],
      ["was refused", "failed", 0, "superseded"],
      ["was superseded", "superseded", 0, "superseded"],
    ])("follows what became of the notice of the block: it %s", async (_, status, openAttempts, begun) => {
      await recorded(["budget_blocked", status, { openAttempts }], ["budget_resolved", "pending"]);
      expect(await begin(2)).toBe(begun);
    });

    it("reaches a channel that has no notice of the block at all", async () => {
      await recorded(["budget_blocked", null], ["budget_resolved", "pending"]);
      expect(await begin(2)).toBe("begun");
    });

    it("reaches whoever heard of an earlier block and of no end since", async () => {
      await recorded(
        ["budget_blocked", "sent"],
        ["budget_resolved", "superseded"],
        ["budget_blocked", "superseded"],
        ["budget_resolved", "pending"],
      );
      expect(await begin(4)).toBe("begun");
    });

    it.each(["slack", "pagerduty"])("gives way to a newer block at %s, which would seem to be over", async (kind) => {
      await db.query("update notification_channels set kind = $1", [kind]);
      await recorded(["budget_blocked", "sent"], ["budget_resolved", "pending"], ["budget_blocked", "sent"]);
      expect(await begin(2)).toBe("superseded");
    });

    it("reaches a channel without its block while the spend exceeds a threshold whose notice the block superseded", async () => {
      const stillOver = { spend: "510", percentage: "102" };
      await recorded(
        ["budget_crossed", "superseded"],
        ["budget_blocked", "superseded"],
        ["budget_resolved", "pending", stillOver],
      );
      expect(await begin(3)).toBe("begun");
    });
  });

  it("supersedes an alert of the platform by a newer one of its kind, and no digest or other broken channel", async () => {
    const insert = (id: number, kind: string, at: number) =>
      db.query(
        "insert into platform_alerts (id, kind, detail, begun_at, created_at, ended_at) values ($1, $2, '{}', $3, $3, $3)",
        [uuidOf(id), kind, new Date(NOW + at)],
      );
    const kinds = [
      ...["litellm_out", "litellm_out", "sync_pending"],
      ...["budgets_reset", "budgets_reset", "channel_broken", "channel_broken"],
    ];
    for (const [index, kind] of kinds.entries()) {
      await insert(index + 1, kind, index * MINUTE);
      const columns = { platform_alert_id: uuidOf(index + 1), channelId: channelIdOf(1) };
      await insertDelivery(db, { ...columns, alertId: null as never });
    }
    const begun = [];
    for (const number of kinds.keys()) begun.push(await begin(number + 1));
    expect(begun).toEqual(["superseded", ...Array(6).fill("begun")]);
  });

  it("begins no attempt when another message has moved it", async () => {
    await recorded(["budget_blocked", "pending"]);
    expect(await deliveries.begin(key(1), { nextAttemptAt: NOW + MINUTE, now: NOW })).toBe("changed");
    expect(await begin(9)).toBe("changed");
  });

  it("counts an attempt as open until it is known to have failed", async () => {
    await recorded(["budget_blocked", "pending"]);
    const open = async () => (await db.query("select open_attempts from notice_deliveries"))[0];
    const next = { error: "500", nextAttemptAt: NOW, turnAt: null, isAttempt: true, at: NOW };
    await begin(1);
    await deliveries.postpone(key(1), { ...next, hasNotArrived: false });
    await begin(1);
    expect(await open()).toEqual({ open_attempts: 2 });
    await deliveries.postpone(key(1), { ...next, hasNotArrived: true });
    expect(await open()).toEqual({ open_attempts: 1 });
  });
});
