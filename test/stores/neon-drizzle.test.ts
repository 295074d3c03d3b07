// Drizzle on Neon's HTTP protocol, with the real schema. A separate file, because Drizzle changes how Neon's driver
// parses types.

import { neon, neonConfig } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { LocalPostgres } from "../../dev/postgres/start-postgres.ts";
import { auditLog } from "../../src/adapters/postgres/schema/audit-tables.ts";
import { budgetAlertHistory, tenantConfigs } from "../../src/adapters/postgres/schema/tables.ts";
import { connect, migrate, postgresBackends } from "../support/servers/postgres-backends.ts";

const tenant = {
  tenantId: "acme",
  subjectKind: "key" as const,
  subjectId: "h1",
  subjectCreatedAt: new Date("2026-01-02T03:04:05.678Z"),
  priorValues: { max_budget: null },
};

describe.each(postgresBackends)("Drizzle on $name", ({ start }) => {
  let postgres: LocalPostgres;
  const open = () => drizzle(neon(postgres.databaseUrl));
  let db: ReturnType<typeof open>;

  beforeAll(async () => {
    postgres = await start();
    neonConfig.fetchEndpoint = `${postgres.neon.url}/sql`;
    // Another file of the process may have set Bursar's own, which takes a timeout.
    neonConfig.fetchFunction = fetch;
    db = open();
    const wire = await connect(postgres.databaseUrl);
    await migrate(wire);
    await wire.end();
  });

  beforeEach(async () => {
    await db.delete(tenantConfigs);
  });

  afterAll(() => postgres.stop());

  it("reads a row as the schema types it: instants as dates, money as exact text", async () => {
    const [made] = await db
      .insert(tenantConfigs)
      .values({ ...tenant, maxBudget: "123456789012345.123456789" })
      .returning();
    expect(made).toMatchObject({ ...tenant, maxBudget: "123456789012345.123456789", alertThreshold: "80.00" });
    expect(made?.revision).toBeTypeOf("number");
    expect(await db.select().from(tenantConfigs)).toEqual([made]);
  });

  it("keeps nothing of a batch that Postgres refuses, and names the constraint", async () => {
    await db.insert(tenantConfigs).values(tenant);
    const batch = db.batch([
      db.insert(auditLog).values({ actor: "dev", action: "tenant.created", tenantId: "other" }),
      db.insert(tenantConfigs).values({ ...tenant, tenantId: "other" }),
    ]);
    await expect(batch).rejects.toMatchObject({ code: "23505", constraint: "tenant_configs_subject_unique" });
    expect(await db.select().from(auditLog)).toEqual([]);
  });

  it("names the check that a single statement breaks", async () => {
    await db.insert(tenantConfigs).values(tenant);
    await expect(db.update(tenantConfigs).set({ maxBudget: "-0.000000001" })).rejects.toMatchObject({
      cause: { code: "23514", constraint: "tenant_configs_max_budget_not_negative" },
    });
    expect(await db.select({ maxBudget: tenantConfigs.maxBudget }).from(tenantConfigs)).toEqual([
      { maxBudget: "500.000000000" },
    ]);
  });

  it("gives a tenant made again under its old id a higher revision", async () => {
    const make = () => db.insert(tenantConfigs).values(tenant).returning({ revision: tenantConfigs.revision });
    const [before] = await make();
    await db.delete(tenantConfigs);
    const [after] = await make();
    expect(after?.revision).toBeGreaterThan(before?.revision ?? Number.POSITIVE_INFINITY);
  });

  it("records an alert however far spend is beyond its limit", async () => {
    await db.insert(tenantConfigs).values(tenant);
    const far = { maxBudget: "0.000000001", spend: "999999999999999.999999999" };
    await db.insert(budgetAlertHistory).values({
      ...far,
      id: "00000000-0000-4000-8000-000000000001",
      tenantId: "acme",
      identity: "acme:budget_blocked",
      eventType: "budget_blocked",
      percentage: "99999999999999999999999999.90",
      periodStartedAt: tenant.subjectCreatedAt,
      limitVersion: 1,
    });
    expect(await db.select().from(budgetAlertHistory)).toMatchObject([far]);
  });
});
