// A tenant whose row cannot be read or whose amounts Postgres refuses, beside tenants without a fault.

import { beforeEach, describe, expect, it, vi } from "vitest";
import { postgresSpendBatches } from "../../../src/adapters/postgres/spend-batches.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { LedgerCall } from "../../../src/records/ledger.ts";
import type { UnreadableTenant } from "../../../src/records/tenant.ts";
import { aLedger, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

const acme = { kind: "key", id: hashOf("a") } as const;
const globex = { kind: "key", id: hashOf("b") } as const;
/** Two of them are more than `numeric(24,9)` holds. */
const HUGE = usd("600000000000000");

describe.each(postgresBackends)("tenants at fault on $name", (backend) => {
  const { db, create } = useTenants(backend);
  const spendBatches = postgresSpendBatches(() => db.database());
  let calls = 0;
  const aCall = (tenantId: string, subject: LedgerCall["subject"], costNanoUsd: bigint): LedgerCall => {
    const id = (++calls).toString(16).padStart(32, "0");
    return { tenantId: idOf(tenantId), subject, id, endedAt: NOW + 10 * SECOND, costNanoUsd };
  };
  beforeEach(async () => {
    await create({ subject: acme, spend: aLedger() });
    await create({ tenantId: idOf("globex"), subject: globex, spend: aLedger() });
  });

  it("loads the others when one row cannot be read, and names its tenant and references", async () => {
    await db.query("update tenant_configs set prior_values = '[]' where tenant_id = 'globex'");
    const unreadable: UnreadableTenant[] = [];
    const onUnreadable = (tenant: UnreadableTenant) => void unreadable.push(tenant);
    const references = [acme, globex, { kind: "tenant", id: idOf("globex") }] as const;
    const loaded = await spendBatches.load(references, { withPending: false, onUnreadable });
    expect(loaded.map(({ tenant }) => tenant.config.tenantId)).toEqual(["acme"]);
    expect(unreadable).toMatchObject([{ tenantId: "globex", cause: expect.any(Error) }]);
    expect(unreadable[0]?.references.map(({ kind }) => kind).sort()).toEqual(["key", "tenant"]);
    await expect(spendBatches.load(references, { withPending: false })).rejects.toThrow();
  });

  it("counts the others when the sum of one tenant's calls is more than Postgres can hold", async () => {
    const onFault = vi.fn();
    const bad = [aCall("globex", globex, HUGE), aCall("globex", globex, HUGE)];
    const reported = { calls: [...bad, aCall("acme", acme, usd("1"))], bounds: [], notes: [] };
    await expect(spendBatches.count(reported, NOW)).rejects.toThrow("overflow");
    const counted = await spendBatches.count(reported, NOW, onFault);
    expect([...counted.keys()]).toEqual(["acme"]);
    expect(onFault.mock.calls).toEqual([[{ tenantId: "globex", cause: expect.any(Error) }]]);
    expect(await db.query("select tenant_id from counted_calls")).toEqual([{ tenant_id: "acme" }]);
  });

  it("counts the others when the spend of one tenant cannot be read", async () => {
    await db.query("update tenant_spend set resets_at = 'infinity' where tenant_id = 'globex'");
    const onFault = vi.fn();
    const reported = { calls: [aCall("globex", globex, 1n), aCall("acme", acme, 1n)], bounds: [], notes: [] };
    const counted = await spendBatches.count(reported, NOW, onFault);
    expect([...counted.keys()]).toEqual(["acme"]);
    expect(onFault).toHaveBeenCalledExactlyOnceWith({ tenantId: "globex", cause: expect.any(Error) });
  });

  it("throws an outage and blames no tenant", async () => {
    const onFault = vi.fn();
    db.away();
    const reported = { calls: [aCall("acme", acme, 1n)], bounds: [], notes: [] };
    await expect(spendBatches.count(reported, NOW, onFault)).rejects.toThrow(Outage);
    db.back();
    expect(onFault).not.toHaveBeenCalled();
  });
});
