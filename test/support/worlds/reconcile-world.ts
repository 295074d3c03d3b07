// The world of the reconcile tests: acme and other tenants on a real Postgres and LiteLLM's simulator, all of them read
// an hour ago.

import { beforeEach } from "vitest";
import { leaseReads } from "../../../src/flows/spend/lease-reads.ts";
import { reconcileTenants } from "../../../src/flows/spend/reconcile-tenants.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { reconcileMessageSchema } from "../../../src/ports/messages.ts";
import { MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { idOf } from "../builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../builders/virtual-key.ts";
import { ownKeyInput } from "./admin-world.ts";
import { useSpendWorld } from "./spend-world.ts";

export const HOUR = 60 * MINUTE;

/** The tenants are created and first read an hour earlier. */
export const START = NOW + HOUR;

/** Registers the hooks of a suite. */
export function useReconcileWorld() {
  const { world, deps, alerts, notices, spendOf } = useSpendWorld();
  const key = sha256(VIRTUAL_KEY);

  /** The paths of the reads that LiteLLM got since the last `clearRequests`: lists of keys, single keys, teams. */
  const readPaths = () =>
    world.litellm
      .requests()
      .map(({ path }) => path.split("?")[0])
      .filter((path) => path === "/v2/key/info" || path === "/key/info" || path === "/team/info");

  const sweep = () => leaseReads({ now: world.now }, deps);

  /** Removes and returns the messages that the sweeps have queued. */
  function takeQueued() {
    const sent = deps.spendQueue.sent.splice(0).map(({ message }) => message);
    return {
      reconciles: sent.flatMap((message) => {
        const parsed = reconcileMessageSchema.safeParse(message);
        return parsed.success ? [{ tenantIds: parsed.data.tenant_ids, lease: parsed.data.lease }] : [];
      }),
      others: sent.filter(({ kind }) => kind !== "reconcile" && kind !== "rewrite_config"),
    };
  }

  /** Runs one sweep and its reconcile messages. Returns the tenants that it leased, and the messages queued then. */
  async function sweepAndReconcile() {
    await sweep();
    const { reconciles } = takeQueued();
    world.now += SECOND;
    for (const each of reconciles) await reconcileTenants({ ...each, now: world.now }, deps);
    return { leased: reconciles.flatMap(({ tenantIds }) => tenantIds), ...takeQueued() };
  }

  const addTenant = (name: string) => anHourBefore(() => createWithKey(name));

  const createWithKey = async (name: string) => {
    const virtualKey = `sk-${name}-0123456789abcdef`;
    const origin = { kind: "own_key", virtualKey, keyHash: sha256(virtualKey) } as const;
    await createTenant(ownKeyInput({ tenantId: idOf(name), origin }), deps);
    return sha256(virtualKey);
  };

  const adopt = (name: string, spend: number) => anHourBefore(() => createAdopted(name, spend));

  const createAdopted = async (name: string, spend: number) => {
    const virtualKey = `sk-${name}-0123456789abcdef`;
    await world.manage("POST", "/key/generate", { key: virtualKey, max_budget: 22, budget_duration: "30d" });
    world.litellm.setSpend(sha256(virtualKey), spend);
    const origin = { kind: "adopted", subject: { kind: "key", id: sha256(virtualKey) } } as const;
    const settings = { maxBudgetNanoUsd: usd("20") };
    await createTenant(ownKeyInput({ tenantId: idOf(name), origin, settings }), deps);
  };

  async function anHourBefore<T>(work: () => Promise<T>): Promise<T> {
    const { now } = world;
    world.now = NOW;
    const done = await work();
    world.now = now;
    world.litellm.clearRequests();
    return done;
  }

  beforeEach(() => {
    world.now = START;
    world.litellm.clearRequests();
    deps.spendQueue.sent.length = 0;
  });
  return {
    key,
    readPaths,
    sweep,
    takeQueued,
    sweepAndReconcile,
    addTenant,
    adopt,
    world,
    deps,
    alerts,
    notices,
    spendOf,
  };
}
