// Case: `GET /v1/tenants` through the built Worker, at 1,000 tenants and at 100,000, in alternating rounds.

import { startPostgres } from "../../dev/postgres/start-postgres.ts";
import type { Workerd } from "../../dev/worker/workerd.ts";
import type { TenantId } from "../../src/budget/tenant.ts";
import { tenantCursorOf } from "../../src/wire/tenant-cursor.ts";
import { type BenchRun, withWorker } from "../bench-run.ts";
import { ms, type Row } from "../report/report.ts";
import { type Contender, playRounds } from "../rounds.ts";
import type { Filled, TwoSizes } from "./filled.ts";

const ROUNDS = 5;
const ROUND_REQUESTS = 20;

/** The values of .dev.vars.example. */
const HEADERS = { authorization: "Bearer dev-admin-token" };

/** Of the p50 at 1,000 tenants. */
const TARGET = 2;

const idOf = (text: string) => text as TenantId;

const PAGES: readonly (readonly [string, Record<string, string>])[] = [
  ["first page", {}],
  ["a page in the middle", { cursor: tenantCursorOf("tenant_id", { tenantId: idOf("t5"), used: 0 }) }],
  ["`sort=-used_percent`", { sort: "-used_percent" }],
  [
    "`sort=-used_percent`, a page in the middle",
    { sort: "-used_percent", cursor: tenantCursorOf("-used_percent", { tenantId: idOf("t5"), used: 5_000 }) },
  ],
  ["`state=blocked`", { state: "blocked" }],
  ["`reason=subject_missing`", { reason: "subject_missing" }],
  ["`q=` of an id", { q: "t777" }],
  ["`q=` that every name has", { q: "company" }],
];

const nameOf = (page: string, tenants: number) => `${page}, ${tenants}`;

export async function tenantPages(run: BenchRun, { few, many }: TwoSizes): Promise<Row[]> {
  return withWorkerOn(run, few, (ofFew) =>
    withWorkerOn(run, many, async (ofMany) => {
      const contenders = PAGES.flatMap(([page, query]) =>
        [ofFew, ofMany].map(({ tenants, worker }): Contender => {
          const path = `/v1/tenants?${new URLSearchParams({ limit: "50", ...query })}`;
          return {
            name: nameOf(page, tenants),
            baseline: nameOf(page, few.tenants),
            job: () => ({
              url: worker.url,
              requests: Array.from({ length: ROUND_REQUESTS }, () => ({ path, headers: HEADERS })),
              connections: 1,
              seconds: null,
            }),
          };
        }),
      );
      const played = await playRounds(run.load, contenders, ROUNDS);
      return PAGES.map(([page]): Row => {
        const [small, large] = [few, many].map(({ tenants }) => played.get(nameOf(page, tenants)));
        if (small === undefined || large === undefined) throw new Error(`${page} was not played`);
        return {
          group: "`GET /v1/tenants`, 50 a page, one at a time",
          name: page,
          figures: {
            "p50 ms, few": ms(small.p50Ms),
            "p50 ms, many": ms(large.p50Ms),
            "p50 ratio": large.p50Ratio.toFixed(2),
            "p95 ratio": large.p95Ratio.toFixed(2),
          },
          target: { text: `p50 <= ${TARGET}x`, met: large.p50Ratio <= TARGET },
        };
      });
    }),
  );
}

interface WorkerOn {
  readonly tenants: number;
  readonly worker: Workerd;
}

async function withWorkerOn<T>(
  run: BenchRun,
  { databaseUrl, tenants }: Filled,
  work: (on: WorkerOn) => Promise<T>,
): Promise<T> {
  const postgres = await startPostgres({ port: 0, neonPort: 0, databaseUrl });
  const { secrets, vars } = run.stack.environment;
  const environment = {
    secrets: { ...secrets, DATABASE_URL: databaseUrl },
    vars: { ...vars, NEON_ENDPOINT: postgres.neon.url },
  };
  try {
    return await withWorker(run, (worker) => work({ tenants, worker }), environment);
  } finally {
    await postgres.stop();
  }
}
