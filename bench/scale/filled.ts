// Two databases on a real Postgres that differ in their number of tenants, and the plans of what runs on them.

import { startRealPostgres } from "../../dev/services/real-postgres.ts";
import { type FilledDatabase, fillDatabase, TENANTS } from "../../test/plans/filled-database.ts";
import { type PlanRecorder, startRecorder } from "../../test/plans/recorded-plans.ts";

export const FEW = 1_000;

export interface Filled extends FilledDatabase {
  readonly tenants: number;
  readonly recorder: PlanRecorder;
}

export interface TwoSizes {
  readonly few: Filled;
  readonly many: Filled;
  stop(): Promise<void>;
}

/** `many`: how many tenants the larger one has. @throws ServiceMissingError when there is no Postgres. */
export async function fillBoth(many = TENANTS): Promise<TwoSizes> {
  const given = process.env["TEST_DATABASE_URL"];
  const server = given ? null : await startRealPostgres();
  const serverUrl = given || (server?.url ?? "");
  const stops: (() => Promise<void>)[] = [async () => server?.stop()];
  const stop = async () => {
    for (const each of stops.toReversed()) await each();
  };
  const fill = async (tenants: number): Promise<Filled> => {
    const filled = await fillDatabase(serverUrl, tenants);
    stops.push(() => filled.stop());
    const recorder = await startRecorder(filled.client, filled.databaseUrl);
    stops.push(() => recorder.stop());
    return { ...filled, tenants, recorder };
  };
  try {
    return { few: await fill(FEW), many: await fill(many), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
