// The built Worker as it is deployed: several isolates with the deadline of wrangler.toml, stores as far away as other
// regions are, and one KV of which each isolate has copies. An isolate is a process of plain workerd.

import { type DistantPart, startDistantPart } from "../../../dev/distant-part.ts";
import type { ReadTimes } from "../../../dev/kv/colo-view.ts";
import { type KvColos, startKvColos } from "../../../dev/kv/start-kv-colos.ts";
import type { LitellmOptions } from "../../../dev/litellm/settings.ts";
import type { Stack } from "../../../dev/stack.ts";
import { startWorkerd, type Workerd } from "../../../dev/worker/workerd.ts";
import { BUNDLE_DIR } from "./build.ts";
import { startOwnStack } from "./own-stack.ts";

/** Milliseconds of a round trip. */
export interface Distances {
  readonly postgres: number;
  readonly redis: number;
  readonly litellm: number;
  readonly kv: ReadTimes;
}

/** A Worker near its callers, with Postgres and LiteLLM in a region of another continent's near side. */
const USUAL: Distances = { postgres: 100, redis: 40, litellm: 40, kv: { hotMs: 10, coldMs: 60 } };

export interface FarOptions {
  readonly litellm?: LitellmOptions;
  readonly vars?: Readonly<Record<string, string>>;
  /** Default: 3. */
  readonly isolates?: number;
  readonly distances?: Partial<Distances>;
}

export interface FarBursar {
  /** The first isolate, which LiteLLM and the administrator call. */
  readonly url: string;
  readonly isolates: readonly Workerd[];
  readonly stack: Stack;
  /** The ways to the stores: they delay and count what the isolates ask. */
  readonly ways: { readonly postgres: DistantPart; readonly redis: DistantPart; readonly litellm: DistantPart };
  readonly kv: KvColos;
  /** Resolves when no isolate asks anything of its stores: what earlier calls began to look up is learned. */
  settled(): Promise<void>;
  sweep(laterMs?: number): Promise<void>;
  logs(): string[];
  snapshots(): Promise<Pick<KvColos, "get" | "put">>;
  stop(): Promise<void>;
}

export async function startFarBursar(options: FarOptions = {}): Promise<FarBursar> {
  const distances = { ...USUAL, ...options.distances };
  const stack = await startOwnStack(options.litellm);
  const way = (name: string, url: string, delayMs: number) =>
    startDistantPart({ name: `way to ${name}`, url, delayMs });
  const ways = {
    postgres: await way("Postgres", stack.postgres.neon.url, distances.postgres),
    redis: await way("Redis", stack.upstash.url, distances.redis),
    litellm: await way("LiteLLM", stack.litellmUrl, distances.litellm),
  };
  const colos = Array.from({ length: options.isolates ?? 3 }, (_, index) => `colo-${index}`);
  const kv = await startKvColos(colos, distances.kv);
  const { secrets, vars } = stack.environment;
  const environment = {
    secrets: { ...secrets, UPSTASH_REDIS_REST_URL: ways.redis.url },
    vars: { ...vars, NEON_ENDPOINT: ways.postgres.url, LITELLM_URL: ways.litellm.url, ...options.vars },
  };
  const isolates = await Promise.all(
    colos.map((colo) =>
      startWorkerd({ bundleDir: BUNDLE_DIR, environment, kv: { address: kv.addressIn(colo) }, deliversQueues: true }),
    ),
  );
  const [first] = isolates;
  if (first === undefined) throw new Error("there is no isolate");
  return {
    url: first.url,
    isolates,
    stack,
    ways,
    kv,
    settled: () => untilQuiet(() => [...Object.values(ways), kv].every((each) => each.inFlight() === 0)),
    sweep: (laterMs = 0) => first.runCron(Date.now() + laterMs),
    logs: () => isolates.flatMap((isolate) => isolate.output().split("\n")),
    snapshots: async () => kv,
    async stop() {
      for (const each of [...isolates, kv, ...Object.values(ways), stack]) await each.stop();
    },
  };
}

/** Longer than an isolate takes from one answer of a store to its next question. */
const QUIET_MS = 300;
const POLL_MS = 10;

async function untilQuiet(isQuiet: () => boolean): Promise<void> {
  let quietSince = Date.now();
  while (Date.now() - quietSince < QUIET_MS) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (!isQuiet()) quietSince = Date.now();
  }
}
