// The list of tenants: its order, its pages, its filters and its counts. The states are those of tenant-states.test.ts.

import { describe, expect, it } from "vitest";
import { postgresOverrides } from "../../../src/adapters/postgres/tenants/overrides.ts";
import type { NanoUsd } from "../../../src/budget/money.ts";
import type { TenantListQuery, TenantRecord } from "../../../src/records/tenant.ts";
import { aLedger, MINUTE, NOW, usd } from "../../budget/builders.ts";
import { aNewTenant, anActor, aTenantListQuery, hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

describe.each(postgresBackends)("the list of tenants on $name", (backend) => {
  const { tenants, db, saveLedger, create: createTenant } = useTenants(backend);
  const create = (index: number, spendNanoUsd: NanoUsd | null = null, differences: Partial<{ name: string }> = {}) => {
    const spend = spendNanoUsd === null ? null : aLedger({ spendNanoUsd });
    const tenantId = idOf(`t${String(index).padStart(3, "0")}`);
    const subject = { kind: "team", id: `team-${index}` } as const;
    return createTenant({ tenantId, subject, spend, maxBudgetNanoUsd: usd("100"), ...differences });
  };
  const idsIn = (list: { tenants: readonly TenantRecord[] }) => list.tenants.map(({ config }) => config.tenantId);
  const list = (differences: Partial<TenantListQuery> = {}) => tenants.list(aTenantListQuery(differences));
  /** The ids of each page. */
  const pagesOf = async (query: Partial<TenantListQuery>) => {
    const pages: string[][] = [];
    let after: TenantListQuery["after"] = null;
    do {
      const page = await list({ ...query, after });
      pages.push(idsIn(page));
      after = page.next;
    } while (after !== null);
    return pages;
  };

  it("puts 109.99 percent over the limit and 110.00 over grace, 79.99 within budget and 80.00 over the threshold", async () => {
    for (const [index, spend] of ["79.99", "80", "109.99", "110"].entries()) await create(index + 1, usd(spend));
    await create(5, null);
    expect((await list()).counts).toEqual(
      new Map([
        ["within_budget", 1],
        ["over_threshold", 1],
        ["over_limit", 1],
        ["over_grace", 1],
        ["spend_unknown", 1],
      ]),
    );
    expect(idsIn(await list({ reasons: ["over_grace"] }))).toEqual(["t004"]);
    expect(idsIn(await list({ reasons: ["spend_unknown", "within_budget"] }))).toEqual(["t001", "t005"]);
    expect(idsIn(await list({ reasons: [] }))).toEqual([]);
  });

  it("pages through all tenants in the order of their ids, each once", async () => {
    for (const index of [3, 1, 4, 0, 2]) await create(index, usd(String(index * 30)));
    expect(await pagesOf({ limit: 2 })).toEqual([["t000", "t001"], ["t002", "t003"], ["t004"]]);
    expect(await pagesOf({ limit: 5 })).toEqual([["t000", "t001", "t002", "t003", "t004"]]);
  });

  it("pages from the tenant nearest to its limit, those alike by id, and those without a percentage last", async () => {
    for (const [index, spend] of ["20", "99.99", "20", "1000", "20.0099"].entries()) await create(index, usd(spend));
    await create(5, null);
    await create(6, usd("50"));
    await tenants.change(idOf("t006"), { maxBudgetNanoUsd: 0n }, anActor());
    const expected = [["t003", "t001"], ["t000", "t002"], ["t004", "t005"], ["t006"]];
    expect(await pagesOf({ sort: "-used_percent", limit: 2 })).toEqual(expected);
  });

  it("pages within a reason, in either order", async () => {
    for (const [index, spend] of ["1", "500", "2", "500", "3"].entries()) await create(index, usd(spend));
    const within: Partial<TenantListQuery> = { reasons: ["within_budget"], limit: 2 };
    expect(await pagesOf(within)).toEqual([["t000", "t002"], ["t004"]]);
    expect(await pagesOf({ ...within, sort: "-used_percent" })).toEqual([["t004", "t002"], ["t000"]]);
  });

  it("finds a part of an id or of a name, in any case, and takes no character for a wildcard", async () => {
    await create(1, usd("1"), { name: "Zoë 100%_Labs" });
    await create(2, usd("2"), { name: "back\\slash" });
    await create(3, usd("3"));
    const found = async (search: string) => idsIn(await list({ search, sort: "-used_percent" }));
    expect(await found("T00")).toEqual(["t003", "t002", "t001"]);
    expect(await found("ZOË 100%")).toEqual(["t001"]);
    expect(await found("0%_l")).toEqual(["t001"]);
    expect(await found("%")).toEqual(["t001"]);
    expect(await found("_")).toEqual(["t001"]);
    expect(await found("k\\s")).toEqual(["t002"]);
    expect(await found("001 zo")).toEqual([]);
    expect(await pagesOf({ search: "t00", limit: 2 })).toEqual([["t001", "t002"], ["t003"]]);
  });

  it("shows the limit of the instant at once, and moves the tenant when the sweep has recorded an override's end", async () => {
    const tenant = await create(1, usd("100"));
    const overrides = postgresOverrides(() => db.database());
    const id = "00000000-0000-4000-8000-000000000001";
    const grant = {
      id,
      tenantId: tenant.config.tenantId,
      amountNanoUsd: usd("100"),
      expiresAt: NOW + 60 * MINUTE,
      reason: "",
    };
    await overrides.grant(grant, anActor());
    expect(idsIn(await list({ reasons: ["within_budget"] }))).toEqual(["t001"]);
    expect(await overrides.recordEnds(10, NOW + 60 * MINUTE)).toHaveLength(1);
    expect(idsIn(await list({ reasons: ["over_limit"] }))).toEqual(["t001"]);
  });

  it("moves a tenant with its spend and its suspension", async () => {
    const tenant = await create(1, usd("1"));
    await saveLedger(tenant.config, aLedger({ spendNanoUsd: usd("90") }));
    expect(idsIn(await list({ reasons: ["over_threshold"] }))).toEqual(["t001"]);
    await tenants.setSuspended(idOf("t001"), true, anActor());
    const { counts } = await list({ reasons: ["suspended"] });
    expect(counts).toEqual(new Map([["suspended", 1]]));
  });

  it("treats ids and hashes as text, never as SQL", async () => {
    const subject = { kind: "team", id: "'; drop table tenant_configs; --" } as const;
    await tenants.create(aNewTenant({ subject, name: "$1 ' \" \\ %" }), anActor());
    expect((await tenants.findBySubject(subject))?.config.name).toBe("$1 ' \" \\ %");
    expect(await tenants.findByKey(hashOf("0"))).toBeNull();
  });
});
