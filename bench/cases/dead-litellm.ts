// Case: LiteLLM does not answer and every snapshot is too old to serve without a read. The deadline must hold.

import type { Fault } from "../../dev/part.ts";
import type { Workerd } from "../../dev/worker/workerd.ts";
import { type BenchRun, fillKv, withWorker } from "../bench-run.ts";
import { ms, type Row } from "../report/report.ts";
import { refuseWrongAnswers } from "../rounds.ts";
import type { RealTenants } from "../tenants/real-tenants.ts";
import { agedBy, askRequest, type BenchTenant, generatedTenants, snapshotsOf } from "../tenants/tenants.ts";

const TARGET_MS = 110;

/** Older than 10 min, up to which a check may answer from a snapshot and refresh it in the background. */
const STALE_MS = 20 * 60_000;

const BREAKAGES = ["hangs", "refuses connections", "answers 500"] as const;
type Breakage = (typeof BREAKAGES)[number];

const FAULTS: Record<Exclude<Breakage, "refuses connections">, Fault> = {
  hangs: { kind: "hang" },
  "answers 500": { kind: "error", status: 500 },
};

/** Each breakage gets its own tenants, because an attempt to read a tenant blocks further attempts for 5 s. */
export async function deadLiteLlm(run: BenchRun, { tenants, snapshots }: RealTenants): Promise<Row[]> {
  const stale = agedBy(STALE_MS, snapshots);
  const share = Math.floor(tenants.length / BREAKAGES.length);
  const rows: Row[] = [];
  for (const [index, breakage] of BREAKAGES.entries()) {
    await breakLiteLlm(run, breakage);
    try {
      const part = tenants.slice(index * share, (index + 1) * share);
      rows.push(...(await playBreakage(run, breakage, part, stale)));
    } finally {
      await mendLiteLlm(run, breakage);
    }
  }
  return rows;
}

/** One check at a time, then ten, each in a new process whose circuit breaker has seen no failure. */
async function playBreakage(
  run: BenchRun,
  breakage: Breakage,
  tenants: readonly BenchTenant[],
  stale: Readonly<Record<string, string>>,
): Promise<Row[]> {
  const half = Math.floor(tenants.length / 2);
  const rows: Row[] = [];
  for (const [connections, part] of [
    [1, tenants.slice(0, half)],
    [10, tenants.slice(half)],
  ] as const) {
    rows.push(await withWorker(run, (worker) => playChecks(run, worker, { breakage, connections, part, stale })));
  }
  return rows;
}

async function playChecks(
  { load }: BenchRun,
  worker: Workerd,
  { breakage, connections, part, stale }: Play,
): Promise<Row> {
  const { url } = worker;
  // Tenants with fresh snapshots first: they load the code without a read of LiteLLM, and so without a failure.
  const others = generatedTenants(50);
  await fillKv(worker, { ...snapshotsOf(others, Date.now()), ...stale });
  await load.fire({ url, requests: others.map(askRequest), connections: 1, seconds: null });

  const name = `${breakage}, ${connections} at a time`;
  const result = await load.fire({ url, requests: part.map(askRequest), connections, seconds: null });
  refuseWrongAnswers(`LiteLLM ${name}`, result, "200");
  const degraded = worker.output().split("degraded answer").length - 1;
  if (degraded < result.count) throw new Error(`LiteLLM ${name}: only ${degraded} answers were degraded`);
  return {
    group: "Dead LiteLLM: snapshots of 20 min ago, every check another tenant",
    name,
    figures: {
      "p50 ms": ms(result.p50Ms),
      "p95 ms": ms(result.p95Ms),
      "max ms": ms(result.maxMs),
      checks: String(result.count),
    },
    target: { text: `max <= ${TARGET_MS} ms`, met: result.maxMs <= TARGET_MS },
  };
}

interface Play {
  readonly breakage: Breakage;
  readonly connections: number;
  readonly part: readonly BenchTenant[];
  readonly stale: Readonly<Record<string, string>>;
}

async function breakLiteLlm({ stack }: BenchRun, breakage: Breakage): Promise<void> {
  if (breakage === "refuses connections") await stack.litellm?.stop();
  else stack.litellm?.setFault(FAULTS[breakage]);
}

async function mendLiteLlm({ stack }: BenchRun, breakage: Breakage): Promise<void> {
  if (breakage === "refuses connections") await stack.litellm?.restart();
  else stack.litellm?.setFault(null);
}
