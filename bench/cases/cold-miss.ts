// Case: the first check of a tenant that is in neither memory nor KV. It reads Postgres for the key, then LiteLLM.

import { type BenchRun, withWorker } from "../bench-run.ts";
import { ms, type Row } from "../report/report.ts";
import { refuseWrongAnswers } from "../rounds.ts";
import { deleteSpend } from "../tenants/real-tenants.ts";
import { askRequest, type BenchTenant } from "../tenants/tenants.ts";

const TARGET_MS = 50;

export async function coldMiss(run: BenchRun, tenants: readonly BenchTenant[]): Promise<Row[]> {
  // The first requests of a process are slow because they compile code. A deployed isolate does that once.
  const warmUp = tenants.slice(0, 20);
  await deleteSpend(run, tenants);
  return withWorker(run, async ({ url }) => {
    await run.load.fire({ url, requests: warmUp.map(askRequest), connections: 1, seconds: null });
    const requests = tenants.slice(warmUp.length).map(askRequest);
    const result = await run.load.fire({ url, requests, connections: 1, seconds: null });
    refuseWrongAnswers("cold miss", result, "200");
    await refuseDegraded(url, tenants);
    return [
      {
        group: "Cold miss: key and config from Postgres, spend from LiteLLM, every check another tenant",
        name: `${result.count} tenants`,
        figures: {
          "p50 ms": ms(result.p50Ms),
          "p95 ms": ms(result.p95Ms),
          "p99 ms": ms(result.p99Ms),
          "max ms": ms(result.maxMs),
        },
        target: { text: `p95 < ${TARGET_MS} ms`, met: result.p95Ms < TARGET_MS },
      },
    ];
  });
}

/**
 * A 200 may also be a degraded answer. A successful read stays cached, so a second check of the last tenant must
 * answer from it.
 */
async function refuseDegraded(url: string, tenants: readonly BenchTenant[]): Promise<void> {
  const last = tenants.at(-1);
  if (last === undefined) throw new Error("no tenants");
  const response = await fetch(url + askRequest(last).path, { headers: askRequest(last).headers });
  const verdict = (await response.json()) as { source: string; degraded: boolean; tenant_id: string };
  if (verdict.degraded || verdict.tenant_id !== last.tenantId) {
    throw new Error(`cold miss: answered wrongly: ${JSON.stringify(verdict)}`);
  }
}
