// The world of `npm run adopt`: LiteLLM's simulator, and Bursar's real app over HTTP with a real Postgres.

import { Writable } from "node:stream";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { runAdopt } from "../../../cli/adopt/run.ts";
import { type Part, startPart } from "../../../dev/part.ts";
import { createApp } from "../../../src/app.ts";
import type { Ports } from "../../../src/ports/ports.ts";
import { useAdminWorld } from "./admin-world.ts";
import { TOKENS } from "./http-world.ts";

const execution = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} } as unknown as ExecutionContext;

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Short, because no test waits for a service to restart. */
const SHORT_PATIENCE = { retries: 2, minTimeout: 1 };

/** Registers the hooks of a suite. `bursar` can be broken like any part of the local stack. */
export function useAdoptWorld() {
  const { world, deps, renewDeps } = useAdminWorld();
  let part: Part | null = null;
  const app = createApp(() => ({ ports: { ...deps, clock: () => world.now } as unknown as Ports, tokens: TOKENS }));
  beforeAll(async () => {
    const handler = async (request: Request) => app.fetch(request, {} as Env, execution);
    part = await startPart({ name: "bursar", port: 0, portVariable: "PORT", handler });
  });
  beforeEach(() => part?.setFault(null));
  afterAll(() => part?.stop());
  const bursar = (): Part => {
    if (part === null) throw new Error("Bursar is not started");
    return part;
  };

  async function adopt(
    args: string[],
    options: { signal?: AbortSignal; onLine?: (text: string) => void; env?: object; from?: string[] } = {},
  ): Promise<Run> {
    const env = {
      LITELLM_URL: world.litellm.url,
      LITELLM_MASTER_KEY: world.litellm.masterKey,
      BURSAR_URL: bursar().url,
      ADMIN_TOKEN: TOKENS.admin[0]?.token,
      ...options.env,
    };
    const [out, err] = [textOf(), textOf(options.onLine)];
    const { signal = new AbortController().signal, from = ["--from", "litellm"] } = options;
    const io = { env, out: out.stream, err: err.stream, signal, clock: () => world.now, patience: SHORT_PATIENCE };
    const code = await runAdopt([...from, ...args], io);
    return { code, out: out.text(), err: err.text() };
  }

  /** The plan's rows by tenant id, or by alias for rows without an id. */
  async function planned(...args: string[]) {
    const { out } = await adopt([...args, "--json"]);
    // biome-ignore lint/suspicious/noExplicitAny: the command's JSON; tests assert what they read of it
    const rows: any[] = JSON.parse(out);
    return new Map(rows.map((row) => [row.tenant_id ?? row.alias, row]));
  }

  /** Tenants as Postgres has them. */
  const tenants = () =>
    world.db.query(
      "select tenant_id, subject_kind, subject_id, max_budget::float, enforcement from tenant_configs order by tenant_id",
    );

  return { world, deps, renewDeps, bursar, adopt, planned, tenants };
}

function textOf(onText: (text: string) => void = () => {}) {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _, done) {
      chunks.push(String(chunk));
      onText(String(chunk));
      done();
    },
  });
  return { stream, text: () => chunks.join("") };
}
