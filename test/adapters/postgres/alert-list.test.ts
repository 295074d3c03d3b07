// The alert history: every row once, in pages of any size while alerts are added, each with its deliveries.

import { beforeEach, describe, expect, it } from "vitest";
import { listAlerts } from "../../../src/adapters/postgres/alerts/alert-list.ts";
import type { TenantId } from "../../../src/budget/tenant.ts";
import type { AlertListRow, DeliveryStatus } from "../../../src/records/delivery.ts";
import { NOW, PERIOD_START, RESET, SECOND, usd } from "../../budget/builders.ts";
import { insertAlert, insertChannel, insertDelivery } from "../../support/builders/alert-rows.ts";
import { aNewTenant, anActor, hashOf, idOf } from "../../support/builders/builders.ts";
import { alertIdOf, channelIdOf, uuidOf } from "../../support/builders/notice-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

describe.each(postgresBackends)("the history of alerts on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  beforeEach(async () => {
    await create();
    await create(aNewTenant({ tenantId: idOf("other"), subject: { kind: "key", id: hashOf("b") } }));
  });

  async function addAlert(end: number, createdAt: number, tenantId = "acme"): Promise<void> {
    await insertAlert(db, {
      ...{ id: uuidOf(end), tenant_id: tenantId, created_at: new Date(createdAt), limit_version: 3 },
      ...{ occurrence: 2, repetition: 1 },
      ...{ spend: "412.5", limit_amount: "550", percentage: "75.01", silent: true, detail: { day: "2026-11-25" } },
    });
  }

  async function addDelivery(alert: number, channel: number, status: DeliveryStatus): Promise<void> {
    const channelId = channelIdOf(channel);
    const created_at = new Date(NOW - channel);
    await insertChannel(db, { id: channelId, kind: "email", name: `channel ${channel}`, created_at });
    await insertDelivery(db, {
      ...{ alertId: alertIdOf(alert), channelId, status, attempts: 2, last_error: "it answered 500" },
      ...{ next_attempt_at: new Date(NOW + SECOND), sent_at: status === "sent" ? new Date(NOW) : null },
    });
  }

  const list = (tenantId: TenantId | null = null, before: string | null = null, limit = 200) =>
    listAlerts(db.database, { tenantId, before, limit });

  async function everyPage(
    tenantId: TenantId | null,
    limit: number,
    between = async () => {},
  ): Promise<AlertListRow[]> {
    const rows: AlertListRow[] = [];
    let before: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof list>> = await list(tenantId, before, limit);
      expect(page.rows.length).toBeLessThanOrEqual(limit);
      rows.push(...page.rows);
      before = page.next;
      await between();
    } while (before !== null);
    return rows;
  }

  it("shows an alert whole, with exact amounts and its deliveries", async () => {
    await addAlert(1, NOW);
    await addDelivery(1, 11, "sent");
    await addDelivery(1, 12, "pending");
    const delivery = {
      alertId: uuidOf(1),
      channelKind: "email",
      attempts: 2,
      nextAttemptAt: NOW + SECOND,
      turnAt: null,
    };
    expect(await list()).toEqual({
      rows: [
        {
          alert: {
            id: uuidOf(1),
            tenantId: "acme",
            identity: `identity of ${uuidOf(1)}`,
            eventType: "threshold_crossed",
            threshold: 8_000n,
            spendNanoUsd: usd("412.5"),
            maxBudgetNanoUsd: usd("500"),
            limitNanoUsd: usd("550"),
            used: 7_501n,
            periodStartedAt: PERIOD_START,
            resetsAt: RESET,
            limitVersion: 3,
            occurrence: 2,
            repetition: 1,
            isSilent: true,
            detail: { day: "2026-11-25" },
            createdAt: NOW,
          },
          deliveries: [
            {
              ...delivery,
              ...{ channelId: uuidOf(12), channelName: "channel 12", status: "pending" },
              ...{ lastError: "it answered 500", sentAt: null },
            },
            {
              ...delivery,
              ...{ channelId: uuidOf(11), channelName: "channel 11", status: "sent" },
              ...{ lastError: "it answered 500", sentAt: NOW },
            },
          ],
        },
      ],
      next: null,
    });
  });

  it("lists newest first, alerts without deliveries included", async () => {
    for (const [end, at] of [
      [1, NOW],
      [2, NOW + 2],
      [3, NOW + 1],
    ] as const)
      await addAlert(end, at);
    const { rows } = await list();
    expect(rows.map(({ alert }) => alert.id)).toEqual([2, 3, 1].map(uuidOf));
    expect(rows.map(({ deliveries }) => deliveries)).toEqual([[], [], []]);
  });

  it.each([1, 2, 3, 7])(
    "shows each row once in pages of %i, equal instants included, while alerts are added",
    async (limit) => {
      for (let end = 1; end <= 7; end++) await addAlert(end, NOW + Math.floor(end / 3));
      let newest = 100;
      const rows = await everyPage(null, limit, () => addAlert(newest++, NOW + SECOND));
      expect(rows.map(({ alert }) => alert.id)).toEqual([6, 7, 3, 4, 5, 1, 2].map(uuidOf));
    },
  );

  it("filters by tenant, and goes on showing a deleted tenant's alerts", async () => {
    await addAlert(1, NOW);
    await addAlert(2, NOW, "other");
    expect((await list(idOf("other"))).rows.map(({ alert }) => alert.id)).toEqual([uuidOf(2)]);
    await tenants.markDeleted(idOf("other"), anActor());
    expect((await list(idOf("other"))).rows.map(({ alert }) => alert.id)).toEqual([uuidOf(2)]);
    expect((await list()).rows).toHaveLength(2);
  });

  it("refuses a malformed cursor before Postgres does", async () => {
    await expect(list(null, "1'; drop table tenant_configs")).rejects.toThrow("not a cursor");
  });
});
