// Case: healthy stores far away. The first check of a tenant may reach its deadline; the second must be right, and from
// memory.

import { setTimeout as pause } from "node:timers/promises";
import { type BenchRun, delayKv, withWorker } from "../bench-run.ts";
import type { LoadResult } from "../load/job.ts";
import { ms, type Row } from "../report/report.ts";
import { refuseWrongAnswers } from "../rounds.ts";
import { deleteSpend } from "../tenants/real-tenants.ts";
import { askRequest, type BenchTenant } from "../tenants/tenants.ts";

const POSTGRES_MS = 100;
const LITELLM_MS = 40;
const KV_MS = 30;

/** The deadline, and what is promised beyond it. */
const TARGET_MS = 110;

/** The look-ups that a check has left running end within this time. */
const LATE_MS = 2_000;

export async function farStores(run: BenchRun, tenants: readonly BenchTenant[]): Promise<Row[]> {
  const { postgres, litellm } = run.stack;
  const warmUp = tenants.slice(0, 20);
  await deleteSpend(run, tenants);
  return withWorker(run, async (worker) => {
    const fire = (of: readonly BenchTenant[]) =>
      run.load.fire({ url: worker.url, requests: of.map(askRequest), connections: 1, seconds: null });
    await fire(warmUp);
    postgres.neon.setFault({ kind: "slow", delayMs: POSTGRES_MS });
    litellm?.setFault({ kind: "slow", delayMs: LITELLM_MS });
    await delayKv(worker, KV_MS);
    try {
      const first = await fire(tenants.slice(warmUp.length));
      await pause(LATE_MS);
      const second = await fire(tenants.slice(warmUp.length));
      refuseWrongAnswers("second check", second, "200");
      return [rowOf("first check of a tenant", first), rowOf("second check", second)];
    } finally {
      postgres.neon.setFault(null);
      litellm?.setFault(null);
    }
  });
}

function rowOf(name: string, { p50Ms, p95Ms, maxMs, statuses }: LoadResult): Row {
  const undecided = statuses["503"] ?? 0;
  return {
    group: `Stores far: Postgres + ${POSTGRES_MS} ms, LiteLLM + ${LITELLM_MS} ms, KV + ${KV_MS} ms, one after the other`,
    name: undecided === 0 ? name : `${name} (${undecided} answered 503 look-up-slow)`,
    figures: { "p50 ms": ms(p50Ms), "p95 ms": ms(p95Ms), "max ms": ms(maxMs) },
    target: { text: `≤ ${TARGET_MS} ms`, met: maxMs <= TARGET_MS },
  };
}
