// The Worker's cron handler inside workerd: every job runs, and no job stops another.

import { createExecutionContext, createScheduledController, reset, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import worker from "../../src/worker.ts";
import { NOW } from "../budget/builders.ts";
import { bindingsWith, ELSEWHERE, query, recordConsole, seedTenant, subjects } from "./bursar.ts";

let logged: ReturnType<typeof recordConsole>;
beforeEach(() => {
  logged = recordConsole();
});
afterEach(async () => {
  vi.unstubAllGlobals();
  const own = [...subjects.keys()].map((tenantId) => `'${tenantId}'`);
  if (own.length > 0) await query(`update tenant_configs set litellm_sync = 'synced' where tenant_id in (${own})`);
  await query("delete from litellm_outage");
  await reset();
});

async function cron(bindings: Record<string, unknown> = {}, scheduledTime = NOW): Promise<void> {
  const execution = createExecutionContext();
  await worker.scheduled(createScheduledController({ scheduledTime }), bindingsWith(bindings), execution);
  await waitOnExecutionContext(execution);
}

const litellm = async (method: string, path: string, body?: object) => {
  const response = await fetch(env.LITELLM_URL + path, {
    method,
    headers: { authorization: `Bearer ${env.LITELLM_MASTER_KEY}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: LiteLLM's rows; tests assert what they read of them
  return (await response.json()) as any;
};

/** A tenant whose key LiteLLM has, with a pending sync. */
async function pendingTenant() {
  const { token } = await litellm("POST", "/key/generate", { key: `sk-${crypto.randomUUID()}`, max_budget: 1 });
  const tenantId = await seedTenant(token, { sync: "pending" });
  return {
    syncOf: async () => (await query(`select litellm_sync from tenant_configs where tenant_id = '${tenantId}'`))[0],
    maxBudget: async () => (await litellm("GET", `/key/info?key=${token}`)).info.max_budget,
  };
}

/** Other files run beside this one on the same Postgres, with platform channels of their own. */
const PLATFORM_CHANNEL = "99999999-9999-4999-8999-999999999999";

const outage = () => env.SNAPSHOTS.get("outage:litellm", "json");
const brokenKv = () => {
  const fail = async () => Promise.reject(new Error("KV is down"));
  return { SNAPSHOTS: { get: fail, put: fail } };
};

describe("a run", () => {
  it("records LiteLLM's outage from its first failed ping, and its end after three good ones", async () => {
    await cron({ LITELLM_URL: ELSEWHERE }, NOW);
    await cron({ LITELLM_URL: ELSEWHERE }, NOW + 60_000);
    expect(await outage()).toMatchObject({ v: 1, started_at: NOW });
    for (const minutes of [2, 3, 4]) await cron({}, NOW + minutes * 60_000);
    expect(await outage()).toMatchObject({ v: 1, started_at: null });
  });

  it("syncs a pending tenant to LiteLLM", async () => {
    const tenant = await pendingTenant();
    await cron();
    expect([await tenant.syncOf(), await tenant.maxBudget()]).toEqual([{ litellm_sync: "synced" }, 110]);
    expect(await outage()).toBeNull();
  });

  it("queues tenants that were not read for long", async () => {
    const { token } = await litellm("POST", "/key/generate", { key: `sk-${crypto.randomUUID()}` });
    const tenantId = await seedTenant(token, { isReadDue: true });
    await cron();
    const readOf = async () => query(`select source from tenant_spend where tenant_id = '${tenantId}'`);
    await vi.waitFor(async () => expect(await readOf()).toEqual([{ source: "litellm" }]), { timeout: 60_000 });
  });

  it("notifies the platform's channels once of an outage that lasts a minute", async () => {
    await query("delete from platform_alerts where kind = 'litellm_out'");
    await query(`insert into notification_channels (id, kind, name, sealed_target)
      values ('${PLATFORM_CHANNEL}', 'slack', 'platform', 'no seal')`);
    for (const minutes of [0, 1, 2]) await cron({ LITELLM_URL: ELSEWHERE }, NOW + minutes * 60_000);
    const recorded = await query(`select p.kind, count(*)::int as deliveries from platform_alerts p
      join notice_deliveries d on d.platform_alert_id = p.id
      where p.kind = 'litellm_out' and d.channel_id = '${PLATFORM_CHANNEL}' group by p.kind`);
    expect(recorded).toEqual([{ kind: "litellm_out", deliveries: 1 }]);
    await query(`delete from notification_channels where id = '${PLATFORM_CHANNEL}'`);
  });

  it("ends in the same state when two runs overlap", async () => {
    const tenant = await pendingTenant();
    await Promise.all([cron(), cron()]);
    expect([await tenant.syncOf(), await tenant.maxBudget()]).toEqual([{ litellm_sync: "synced" }, 110]);
  });
});

describe("a job that fails", () => {
  it("records the outage and logs the failed job while Postgres is down", async () => {
    for (const minutes of [0, 1])
      await cron({ LITELLM_URL: ELSEWHERE, NEON_ENDPOINT: ELSEWHERE }, NOW + minutes * 60_000);
    expect(await outage()).toMatchObject({ v: 1, started_at: NOW });
    expect(logged.error).toContainEqual(expect.objectContaining({ job: "sync-pending" }));
  });

  it("syncs LiteLLM and logs the failed job while KV is down", async () => {
    const tenant = await pendingTenant();
    await cron(brokenKv());
    expect([await tenant.syncOf(), await tenant.maxBudget()]).toEqual([{ litellm_sync: "synced" }, 110]);
    expect(logged.error).toContainEqual(expect.objectContaining({ event: "kv outage read failed" }));
  });

  it("syncs the next tenant after one tenant's sync fails", async () => {
    const first = await seedTenant("0".repeat(64), { sync: "pending" });
    const tenant = await pendingTenant();
    await cron();
    expect(await tenant.syncOf()).toEqual({ litellm_sync: "synced" });
    expect(
      await query(`select litellm_sync, litellm_sync_error from tenant_configs where tenant_id = '${first}'`),
    ).toEqual([{ litellm_sync: "pending", litellm_sync_error: "LiteLLM does not know this key" }]);
  });
});
