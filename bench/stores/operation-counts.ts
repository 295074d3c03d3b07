// Counts the billed operations of Workers (KV, queues, Redis, Postgres, LiteLLM) since the previous count.

import type { KvCounts } from "../../dev/kv/kv-handler.js";
import type { Workerd } from "../../dev/worker/workerd.ts";
import { countsOf } from "../bench-run.ts";
import type { CountedStores } from "./counted-stores.ts";
import type { Counter } from "./counter.ts";

export interface OperationCounts {
  readonly "KV keys read": number;
  readonly "KV writes": number;
  readonly "queue messages": number;
  readonly "Redis commands": number;
  readonly "Postgres requests": number;
  readonly "LiteLLM reads": number;
}

export interface Counted {
  readonly workers: readonly Workerd[];
  readonly stores: CountedStores;
  readonly litellm: Counter;
}

const QUEUES = ["SPEND_QUEUE", "NOTICES_QUEUE"];

/** Counts since the start or since the previous call, and resets the counters. */
export async function takeCounts({ workers, stores, litellm }: Counted): Promise<OperationCounts> {
  const { postgres, redis } = stores.take();
  const counts = { reads: 0, writes: 0, messages: 0 };
  for (const worker of workers) {
    const { keysRead, writes, deletes } = await countsOf<KvCounts>(worker, "SNAPSHOTS", true);
    counts.reads += keysRead;
    counts.writes += writes + deletes;
    for (const queue of QUEUES) counts.messages += (await countsOf<{ messages: number }>(worker, queue, true)).messages;
  }
  const reads = litellm.count();
  litellm.reset();
  return {
    "KV keys read": counts.reads,
    "KV writes": counts.writes,
    "queue messages": counts.messages,
    "Redis commands": redis,
    "Postgres requests": postgres,
    "LiteLLM reads": reads,
  };
}

/** Counts per `each` of the `played` units, such as per alert or per 1,000 webhooks. */
export function perEach(counts: OperationCounts, played: number, each: number, digits: number): Record<string, string> {
  const entries = Object.entries(counts).map(([name, count]) => [name, ((count * each) / played).toFixed(digits)]);
  return Object.fromEntries(entries);
}
