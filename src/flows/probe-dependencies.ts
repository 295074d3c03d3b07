// Is everything there that Bursar needs? Asks each dependency once; one second of memory keeps probers from loading them.

import type { Instant } from "../budget/tenant.ts";
import type { Ports } from "../ports/ports.ts";
import type { Readiness } from "../records/edge-record.ts";
import { withTimeout } from "./waiting.ts";

type Deps = Pick<Ports, "tenants" | "claims" | "snapshots" | "litellm" | "timers" | "memory" | "clock">;

const TIMEOUT_MS = 2_000;

export async function probeDependencies({ now }: { now: Instant }, deps: Deps): Promise<Readiness> {
  const remembered = deps.memory.readiness(now);
  if (remembered !== null) return remembered;
  // One prober asks; the others of this second hear what the last one heard.
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
  return { name, ok: outcome.kind === "came", latencyMs: deps.clock() - begunAt };
}

async function pingLiteLlm({ litellm }: Pick<Ports, "litellm">): Promise<void> {
  const answer = await litellm.ping();
  if (!answer.ok) throw new Error(answer.failure.kind);
}
