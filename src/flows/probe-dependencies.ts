// Readiness: probes each dependency once. The isolate keeps the result for one second, so that probers do not load
// them.

import type { Instant } from "../budget/instant.ts";
import type { Ports } from "../ports/ports.ts";
import type { Readiness } from "../records/edge.ts";
import { withTimeout } from "./waiting.ts";

type Deps = Pick<Ports, "tenants" | "claims" | "snapshots" | "litellm" | "timers" | "memory" | "clock">;

const TIMEOUT_MS = 2_000;

export async function probeDependencies({ now }: { now: Instant }, deps: Deps): Promise<Readiness> {
  const remembered = deps.memory.readiness(now);
  if (remembered !== null) return remembered;
  // One prober per second asks; the others get the last result.
  const last = deps.memory.lastReadiness(now);
  if (last !== null && !deps.memory.throttle("readiness", 1, now)) return last;
  const dependencies = await Promise.all([
    probe("postgres", () => deps.tenants.ping(), deps),
    probe("redis", () => deps.claims.ping(), deps),
    probe("kv", () => deps.snapshots.ping(), deps),
    probe("litellm", () => pingLiteLlm(deps), deps),
  ]);
  const readiness = { ready: dependencies.every(({ ok }) => ok), dependencies };
  deps.memory.rememberReadiness(readiness, now);
  return readiness;
}

async function probe(name: string, ask: () => Promise<void>, deps: Deps) {
  const begunAt = deps.clock();
  const outcome = await withTimeout(ask(), TIMEOUT_MS, deps);
  return { name, ok: outcome.kind === "done", latencyMs: deps.clock() - begunAt };
}

async function pingLiteLlm({ litellm }: Pick<Ports, "litellm">): Promise<void> {
  const answer = await litellm.ping();
  if (!answer.ok) throw new Error(answer.failure.kind);
}
