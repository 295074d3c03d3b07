// A backlog of reconcile messages: the consumers were away for 40 minutes, with the settings of wrangler.toml. The
// queue behaves as Cloudflare's; the stores are in memory.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { queueSpend } from "../../../src/adapters/cloudflare/queues.ts";
import type { TenantId } from "../../../src/budget/tenant.ts";
import { leaseReads } from "../../../src/flows/spend/lease-reads.ts";
import type { Ports } from "../../../src/ports/ports.ts";
import type { ReadLeases } from "../../../src/ports/stores.ts";
import { consumeSpend } from "../../../src/queue/spend.ts";
import { MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";
import { unusedPorts } from "../../support/faults/unused-port.ts";
import { TestQueues } from "../../support/servers/test-queues.ts";

const QUEUE = "bursar-spend";
const DEAD = `${QUEUE}-dead`;
const TENANTS = 60_000;
const AWAY_MINUTES = 40;

/** A number from the consumer of the spend queue. */
function setting(name: string): number {
  const [, ...consumers] = readFileSync("wrangler.toml", "utf8").split("[[queues.consumers]]");
  const own = consumers.find((text) => text.includes(`queue = "${QUEUE}"`));
  return Number(new RegExp(`^${name} = (\\d+)$`, "m").exec(own ?? "")?.[1]);
}

function aBacklogWorld() {
  const world = { now: NOW, busiest: 0 };
  const rules = {
    maxBatchSize: setting("max_batch_size"),
    maxRetries: setting("max_retries"),
    retryDelaySeconds: setting("retry_delay"),
    deadLetterQueue: DEAD,
  };
  const dead = { maxBatchSize: 20, maxRetries: 100, retryDelaySeconds: 60, deadLetterQueue: null };
  const queues = new TestQueues({ [QUEUE]: rules, [DEAD]: dead }, null, () => world.now);
  const tenants = Array.from({ length: TENANTS }, (_, index) => ({
    id: idOf(`t${index}`),
    readAt: 0,
    leasedUntil: null as number | null,
  }));
  const byId = new Map(tenants.map((tenant) => [tenant.id, tenant]));
  const readLeases: ReadLeases = {
    async take({ readBefore, until, limit, now }) {
      const isDue = (each: (typeof tenants)[number]) =>
        each.leasedUntil === null ? each.readAt < readBefore : each.leasedUntil < now;
      const taken = tenants
        .filter(isDue)
        .sort((a, b) => a.readAt - b.readAt)
        .slice(0, limit);
      for (const each of taken) each.leasedUntil = until;
      return taken.map(({ id }) => id);
    },
    async move(tenantIds, from, to) {
      const held = tenantIds.flatMap((id) => byId.get(id) ?? []).filter(({ leasedUntil }) => leasedUntil === from);
      for (const each of held) each.leasedUntil = to;
      return held.map(({ id }) => id);
    },
  };
  /** The tenants that the running invocation has read. */
  let read: TenantId[] = [];
  const load = async (references: readonly { readonly id: string }[]) => {
    for (const { id } of references) read.push(id as TenantId);
    return [];
  };
  const ports = {
    ...unusedPorts(),
    readLeases,
    spendBatches: { load },
    spendQueue: queueSpend(queues.producer(QUEUE)),
    clock: () => world.now,
    log: new RecordedLog(),
  } as unknown as Ports;

  async function consume() {
    for (const batch of queues.takeBatches(setting("max_concurrency"))) {
      read = [];
      await consumeSpend(batch, ports);
      // Stands for the read: its lease ends with it.
      for (const id of read) Object.assign(byId.get(id) ?? {}, { readAt: world.now, leasedUntil: null });
      world.busiest = Math.max(world.busiest, read.length);
      batch.settle({ hasDied: false });
    }
  }
  return { world, queues, tenants, sweep: () => leaseReads({ now: world.now }, ports), consume };
}

it("ends without a dead letter, and no invocation reads more tenants than its KV operations allow", async () => {
  const { world, queues, tenants, sweep, consume } = aBacklogWorld();
  for (let minute = 0; minute < AWAY_MINUTES; minute++) {
    await sweep();
    world.now += MINUTE;
  }
  expect(queues.size).toBeGreaterThan(600);
  for (let second = 0; second < 90 * 60; second++) {
    if (second % 60 === 0) await sweep();
    await consume();
    world.now += SECOND;
  }
  expect(world.busiest).toBe(100);
  expect(queues.counts.retried).toBe(0);
  expect(tenants.filter(({ readAt }) => readAt < world.now - 60 * MINUTE)).toEqual([]);
  expect(queues.nextDueAt() === null || queues.size < 40).toBe(true);
});

it("retries what it cannot put back while the queue refuses", async () => {
  const { world, queues, tenants, sweep, consume } = aBacklogWorld();
  await sweep();
  world.now += MINUTE;
  const [batch] = queues.takeBatches(1);
  if (batch === undefined) throw new Error("no batch");
  const ports = {
    ...unusedPorts(),
    readLeases: { move: async (ids: readonly string[]) => ids },
    spendBatches: { load: async () => [] },
    spendQueue: { sendAll: () => Promise.reject(new Error("the queue refuses")) },
    clock: () => world.now,
    log: new RecordedLog(),
  } as unknown as Ports;
  await consumeSpend(batch, ports);
  batch.settle({ hasDied: false });
  expect(queues.counts.retried).toBe(16);
  for (let second = 0; second < 600; second++) {
    await consume();
    world.now += SECOND;
  }
  expect(tenants.filter(({ readAt }) => readAt > 0)).toHaveLength(1_600);
});
