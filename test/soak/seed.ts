// The run's tenants and channels, into Postgres as they are before anything has happened.

import type { NewTenant } from "../../src/tenant-record.ts";
import { aSpendRecord, NOW } from "../budget/builders.ts";
import { insertChannel } from "../support/alert-rows.ts";
import { idOf } from "../support/builders.ts";
import type { TenantDatabase } from "../support/tenant-database.ts";
import type { SoakChannel } from "./channels.ts";
import { SEALER } from "./soak-world.ts";
import type { SoakTenant } from "./traffic.ts";

export function newSoakTenant(tenant: SoakTenant): Partial<NewTenant> {
  const { name, subject, limitNanoUsd: maxBudgetNanoUsd, adoptedAtNanoUsd } = tenant;
  const spendNanoUsd = adoptedAtNanoUsd ?? 0n;
  const adopted = adoptedAtNanoUsd !== null;
  const spend = adopted ? aSpendRecord({ spendNanoUsd, periodStartedAt: NOW }) : null;
  return { tenantId: idOf(name), name: `Tenant ${name}`, subject, maxBudgetNanoUsd, adopted, spend };
}

export async function insertSoakChannel(db: TenantDatabase, channel: SoakChannel): Promise<void> {
  const { id, tenantName, kind, name, target } = channel;
  const sealed = await SEALER.seal(JSON.stringify(target));
  await insertChannel(db, { id, tenant_id: tenantName, kind, name, sealed_target: sealed });
}
