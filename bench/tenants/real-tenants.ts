// Tenants in Postgres and LiteLLM, created through the Worker's own API.

import pg from "pg";
import type { TenantId } from "../../src/budget/tenant.ts";
import { type BenchRun, kvEntries, withWorker } from "../bench-run.ts";
import { type BenchTenant, keyHashOf } from "./tenants.ts";

export interface RealTenants {
  readonly tenants: readonly BenchTenant[];
  /** The Worker's KV after it created them. */
  readonly snapshots: Readonly<Record<string, string>>;
}

/** PGlite has one session, so more concurrent requests would only queue. */
const AT_ONCE = 4;

/** @throws Error with the answer when a tenant is not created. */
export async function createTenants(run: BenchRun, prefix: string, count: number): Promise<RealTenants> {
  return withWorker(run, async (worker) => {
    const ids = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
    const tenants: BenchTenant[] = [];
    while (ids.length > 0) {
      tenants.push(...(await Promise.all(ids.splice(0, AT_ONCE).map((id) => createTenant(worker.url, id)))));
    }
    return { tenants, snapshots: await kvEntries(worker) };
  });
}

async function createTenant(url: string, id: string): Promise<BenchTenant> {
  const response = await fetch(`${url}/v1/tenants`, {
    method: "POST",
    headers: { authorization: "Bearer dev-admin-token", "content-type": "application/json" },
    body: JSON.stringify({ tenant_id: id }),
  });
  if (response.status !== 201) throw new Error(`tenant ${id}: ${response.status} ${await response.text()}`);
  const { virtual_key: virtualKey } = (await response.json()) as { virtual_key: string };
  return { tenantId: id as TenantId, virtualKey };
}

/** Inserts tenants into Postgres as they are in KV, because a check reads Postgres when KV stalls for a moment. */
export async function insertTenants({ stack }: BenchRun, tenants: readonly BenchTenant[]): Promise<void> {
  const client = new pg.Client({ connectionString: stack.postgres.databaseUrl });
  await client.connect();
  try {
    const ids = tenants.map(({ tenantId }) => tenantId);
    const hashes = tenants.map(keyHashOf);
    await client.query(
      `insert into tenant_configs (tenant_id, subject_kind, subject_id, subject_created_at, revision, litellm_sync)
       select id, 'key', hash, now() - interval '10 days', 1, 'synced' from unnest($1::text[], $2::text[]) as t (id, hash)`,
      [ids, hashes],
    );
    await client.query(
      "insert into tenant_keys (key_hash, tenant_id) select hash, id from unnest($1::text[], $2::text[]) as t (id, hash)",
      [ids, hashes],
    );
  } finally {
    await client.end();
  }
}

/** Deletes the tenants' spend from Postgres, so that a check has to read LiteLLM before it can answer. */
export async function deleteSpend({ stack }: BenchRun, tenants: readonly BenchTenant[]): Promise<void> {
  const client = new pg.Client({ connectionString: stack.postgres.databaseUrl });
  await client.connect();
  try {
    await client.query("delete from tenant_spend where tenant_id = any($1)", [tenants.map(({ tenantId }) => tenantId)]);
  } finally {
    await client.end();
  }
}
