// Restoring a deleted tenant, on each Postgres backend: what begins anew, what goes on, and what was only hidden.

import { describe, expect, it } from "vitest";
import { postgresChannels } from "../../../src/adapters/postgres/notices/channels.ts";
import { postgresOverrides } from "../../../src/adapters/postgres/tenants/overrides.ts";
import { aLedger, DAY, MINUTE, NOW, RESET, usd } from "../../budget/builders.ts";
import { insertAlert, insertChannel, insertDelivery } from "../../support/builders/alert-rows.ts";
import { anActor, hashOf, idOf } from "../../support/builders/builders.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const LATER = NOW + 60 * MINUTE;
const TEAM = { subject: { kind: "team", id: "red" }, adopted: true } as const;

describe.each(postgresBackends)("restoring on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const remove = async () => {
    const deleted = await tenants.markDeleted(acme, anActor({ now: NOW + MINUTE }));
    await tenants.recordRelease(acme, deleted?.config.revision ?? 0, NOW + MINUTE);
  };
  const restore = () =>
    tenants.restore(acme, { keyHash: hashOf("b"), encryptedKey: "sealed" }, anActor({ now: LATER }));
  /** What a tenant may have gathered under its key or team. */
  const gather = async () => {
    await db.query(
      `update tenant_configs set litellm_key_last_reset = $1, period_seen_at = $1, period_announced = false, carried = 7,
        carried_period = $1, litellm_budget_id = 'old', litellm_has_blocked = true, litellm_has_set_limits = false,
        subject_missing_at = $1, litellm_blocked_at = $1`,
      [new Date(NOW)],
    );
    await db.query("insert into counted_calls (tenant_id, ended_at, call_id, cost) values ('acme', $1, $2, 1)", [
      new Date(NOW),
      uuidOf(1),
    ]);
  };
  const counted = () => db.query("select from counted_calls");

  it("begins anew with another key: nothing of the old key's period, spend or faults is left", async () => {
    await create({ spend: aLedger(), enforcement: "enforce" });
    await remove();
    await gather();
    expect(await restore()).toMatchObject({
      ok: true,
      value: {
        ...{ spend: null, deletedAt: null, createdAt: LATER, periodSeenAt: null, settingsVersion: 3 },
        encryptedKey: "sealed",
        sync: { status: "pending", error: null, budgetId: null, hasSetLimits: true, hasBlocked: false },
        config: {
          subject: { kind: "key", id: hashOf("b") },
          ...{ createdAt: LATER, subjectCreatedAt: LATER, budgetResetAt: null, litellmKeyLastReset: null },
          ...{ carriedNanoUsd: 0n, subjectMissingAt: null, litellmBlockedAt: null, otherKeys: [] },
        },
      },
    });
    expect(await counted()).toEqual([]);
    const [row] = await db.query("select period_announced, carried_period from tenant_configs");
    expect(row).toEqual({ period_announced: true, carried_period: null });
    expect(await tenants.findByKey(hashOf("b"))).not.toBeNull();
    expect(await tenants.findByKey(hashOf("a"))).toBeNull();
  });

  it("goes on with an adopted team: its period, its spend and its calls", async () => {
    await create({ ...TEAM, spend: aLedger({ spendNanoUsd: usd("412.5") }) });
    await remove();
    await gather();
    expect(await restore()).toMatchObject({
      ok: true,
      value: {
        ...{ deletedAt: null, createdAt: NOW, periodSeenAt: NOW, settingsVersion: 3, encryptedKey: null },
        spend: { spendNanoUsd: usd("412.5") },
        sync: { status: "pending", hasBlocked: true, hasSetLimits: false },
        config: {
          subject: TEAM.subject,
          ...{ createdAt: NOW, subjectCreatedAt: NOW, budgetResetAt: RESET, litellmKeyLastReset: NOW },
          ...{ subjectMissingAt: null, litellmBlockedAt: null },
        },
      },
    });
    expect(await counted()).toHaveLength(1);
  });

  it("brings back channels, overrides and alerts; notices that the deletion has skipped stay unsent", async () => {
    const channels = postgresChannels(() => db.database());
    const overrides = postgresOverrides(() => db.database());
    const shown = async () => (await channels.list({ tenantId: acme, before: null, limit: 9 })).rows.length;
    await create();
    await insertChannel(db, { tenant_id: "acme" });
    await insertAlert(db);
    await insertDelivery(db);
    const grant = { id: uuidOf(7), tenantId: acme, amountNanoUsd: usd("5"), expiresAt: NOW + DAY, reason: "" };
    await overrides.grant(grant, anActor());
    expect(await shown()).toBe(1);
    await remove();
    expect(await shown()).toBe(0);
    expect(await restore()).toMatchObject({ value: { config: { overrides: [{ amountNanoUsd: usd("5") }] } } });
    expect(await shown()).toBe(1);
    expect(await db.query("select status from notice_deliveries")).toEqual([{ status: "skipped" }]);
    expect(await db.query("select from budget_alert_history")).toHaveLength(1);
  });

  it("waits for LiteLLM to release a key of its own, and not for an adopted team", async () => {
    await create();
    await tenants.markDeleted(acme, anActor());
    expect(await restore()).toEqual({ ok: true, value: null });
    await tenants.remove(acme);
    await create(TEAM);
    await tenants.markDeleted(acme, anActor());
    expect(await restore()).toMatchObject({ ok: true, value: { deletedAt: null } });
  });

  it("stays restored after a release that began before it", async () => {
    await create(TEAM);
    const deleted = await tenants.markDeleted(acme, anActor());
    await restore();
    const revision = deleted?.config.revision ?? 0;
    expect(await tenants.recordRelease(acme, revision, LATER)).toBe(false);
    await tenants.markDeleted(acme, anActor());
    expect(await tenants.recordRelease(acme, revision, LATER)).toBe(false);
    expect(await tenants.loadEvenDeleted(acme)).toMatchObject({ sync: { status: "pending" } });
  });
});
