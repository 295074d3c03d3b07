// The Postgres of a suite of migrations, with a connection to it and the environment of the commands.

import type pg from "pg";
import { afterAll, beforeAll } from "vitest";
import type { LocalPostgres } from "../../dev/postgres/start-postgres.ts";
import { connect } from "../support/servers/postgres-backends.ts";
import type { Database } from "./commands.ts";

/** Registers the hooks; what they start is behind functions. */
export function useServer(start: () => Promise<LocalPostgres>) {
  let postgres: LocalPostgres;
  let client: pg.Client;

  beforeAll(async () => {
    postgres = await start();
    client = await connect(postgres.databaseUrl);
  });

  afterAll(async () => {
    await client.end();
    await postgres.stop();
  });

  return { client: () => client, database: (): Database => ({ DATABASE_URL: postgres.databaseUrl }) };
}
