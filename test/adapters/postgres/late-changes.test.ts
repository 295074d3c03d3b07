// Changes that time out and reach Postgres late, after they were looked up: made once, and never over a later change.

import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Database } from "../../../src/adapters/postgres/client.ts";
import { postgresOverrides } from "../../../src/adapters/postgres/tenants/overrides.ts";
import { postgresTenants } from "../../../src/adapters/postgres/tenants/tenants.ts";
import { NOW, SECOND, usd } from "../../budget/builders.ts";
import { aNewTenant, anActor, idOf } from "../../support/builders/builders.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { aNewOverride } from "../../support/builders/override-builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { auditLog, useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const later = anActor({ name: "bob", now: NOW + SECOND });

/** Much shorter than the delay: a slow machine makes the change time out earlier, never later. */
const TIMEOUT_MS = 100;
const DELAY_MS = 1_500;

describe.each(postgresBackends)("a change that reaches $name late", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const hasty: Database = (patience) => db.withTimeout(TIMEOUT_MS)(patience);
  const arrival = () => setTimeout(DELAY_MS + 500);
  const linesOf = async (action: string) => (await auditLog(db)).filter((line) => line.action === action);

  it("creates the tenant once and returns it", async () => {
    db.delaysChange(DELAY_MS);
    const created = await postgresTenants(hasty).create(aNewTenant(), anActor());
    expect(created).toMatchObject({ ok: true, value: { config: { tenantId: "acme" } } });
    await arrival();
    expect(await linesOf("tenant_created")).toHaveLength(1);
  });

  it("does not undo what another administrator has set meanwhile", async () => {
    await create();
    db.delaysChange(DELAY_MS);
    const change = { maxBudgetNanoUsd: usd("7") };
    expect((await postgresTenants(hasty).change(acme, change, anActor()))?.config.maxBudgetNanoUsd).toBe(usd("7"));
    await tenants.change(acme, { maxBudgetNanoUsd: usd("9") }, later);
    await arrival();
    expect((await tenants.load(acme))?.config.maxBudgetNanoUsd).toBe(usd("9"));
    expect(await linesOf("tenant_changed")).toHaveLength(2);
  });

  it("does not suspend a tenant again that was resumed meanwhile", async () => {
    await create();
    db.delaysChange(DELAY_MS);
    expect((await postgresTenants(hasty).setSuspended(acme, true, anActor()))?.auditId).toBeGreaterThan(0);
    await tenants.setSuspended(acme, false, later);
    await arrival();
    expect((await tenants.load(acme))?.config.suspendedAt).toBeNull();
  });

  it("grants once, without an idempotency key too", async () => {
    await create();
    db.delaysChange(DELAY_MS);
    const granted = await postgresOverrides(hasty).grant(aNewOverride({ id: uuidOf(1) }), anActor());
    expect(granted).toMatchObject({ ok: true, value: { override: { id: uuidOf(1) } } });
    await arrival();
    expect((await tenants.load(acme))?.config.overrides).toHaveLength(1);
    expect(await linesOf("override_granted")).toHaveLength(1);
  });
});
