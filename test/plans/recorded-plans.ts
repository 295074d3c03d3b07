// Runs the statements of the adapters on a filled database, and keeps the plan that Postgres has followed for each.
// Every statement and every batch is rolled back, so that each case finds the same rows.

import type pg from "pg";
import { startPart } from "../../dev/part.ts";
import { neonHttp } from "../../dev/postgres/neon-http.ts";
import { type Database, openDatabase } from "../../src/adapters/postgres/client.ts";

export interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly "Rows Removed by Join Filter"?: number;
  readonly Plans?: readonly PlanNode[];
}

export interface RecordedPlan {
  readonly statement: string;
  readonly root: PlanNode;
  readonly ms: number;
  /** The pages of tables and indexes that Postgres has looked at, once for each look. */
  readonly pages: number;
}

export interface PlanRecorder {
  /** Another one each time: the driver sends everything to the endpoint of the last one that was opened. */
  readonly database: Database;
  /** The plans of the statements that `run` sends. */
  plansOf(run: () => Promise<unknown>): Promise<readonly RecordedPlan[]>;
  stop(): Promise<void>;
}

export async function startRecorder(client: pg.Client, databaseUrl: string): Promise<PlanRecorder> {
  let plans: RecordedPlan[] = [];
  const explained = async (config: pg.QueryArrayConfig) => {
    await client.query("savepoint explained");
    const { rows } = await client.query<{ "QUERY PLAN": [{ Plan: PlanNode; "Execution Time": number }] }>({
      text: `explain (analyze, buffers, format json) ${config.text}`,
      values: config.values ?? [],
    });
    await client.query("rollback to explained");
    const [plan] = rows[0]?.["QUERY PLAN"] ?? [];
    if (plan === undefined) throw new Error("no plan");
    const pages = plan.Plan["Shared Hit Blocks"] + plan.Plan["Shared Read Blocks"];
    plans.push({ statement: config.text, root: plan.Plan, ms: plan["Execution Time"], pages });
    return client.query(config);
  };
  // One session for all: a flow that asks for two things at once waits.
  let turn = Promise.resolve();
  const takeTurn = async () => {
    const { promise, resolve: endTurn } = Promise.withResolvers<void>();
    const before = turn;
    turn = promise;
    await before;
    return endTurn;
  };
  const connectionUntil = (release: () => void) => ({
    query: (asked: string | pg.QueryArrayConfig) => {
      if (typeof asked !== "string") return explained(asked);
      return client.query(asked === "COMMIT" ? "rollback" : asked);
    },
    release,
  });
  const pool = {
    connect: async () => connectionUntil(await takeTurn()),
    async query(config: pg.QueryArrayConfig) {
      const endTurn = await takeTurn();
      await client.query("begin");
      try {
        return await explained(config);
      } finally {
        await client.query("rollback");
        endTurn();
      }
    },
  };
  const neon = await startPart({
    name: "plans",
    port: 0,
    portVariable: "none",
    handler: neonHttp(pool as unknown as pg.Pool),
  });
  const timeoutMs = 120_000;
  return {
    get database() {
      return openDatabase({ url: databaseUrl, endpoint: neon.url, timeoutMs, patientTimeoutMs: timeoutMs });
    },
    async plansOf(run) {
      plans = [];
      await run();
      return plans;
    },
    stop: () => neon.stop(),
  };
}

/** Every node of a plan. */
export function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

/** How many rows a node has looked at, over all its loops. */
function rowsReadBy(node: PlanNode): number {
  const seen =
    node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0);
  return seen * node["Actual Loops"];
}

/** What is wrong with a plan, in words: whole tables read, whole tables sorted, or far more rows read than wanted. */
export function faultsOf({ root }: RecordedPlan, bigTables: ReadonlySet<string>, rowsAllowed: number): string[] {
  return nodesOf(root).flatMap((node) => {
    const type = node["Node Type"];
    const table = node["Relation Name"] ?? "";
    // One that stops at its first rows is none of the whole table.
    if (type === "Seq Scan" && bigTables.has(table) && rowsReadBy(node) > rowsAllowed) return [`reads all of ${table}`];
    if (type.endsWith("Scan") && rowsReadBy(node) > rowsAllowed) {
      return [
        `reads ${rowsReadBy(node)} rows of ${table || type} by ${node["Index Name"] ?? type}, not ${rowsAllowed}`,
      ];
    }
    // An incremental sort reads what its limit needs.
    if (
      type === "Sort" &&
      (node.Plans ?? []).some((input) => input["Actual Rows"] * input["Actual Loops"] > rowsAllowed)
    ) {
      return [`sorts ${node.Plans?.[0]?.["Actual Rows"]} rows`];
    }
    return [];
  });
}
