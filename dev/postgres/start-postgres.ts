// The Postgres of the local stack: PGlite on the wire protocol, or a real server, and Neon's HTTP protocol before either.
// Owns starting and stopping, nothing else; it never touches what the database holds.

import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { type Part, startPart } from "../part.ts";
import { emptyCluster } from "./empty-cluster.ts";
import { neonHttp } from "./neon-http.ts";
import { startWireServer, type WireServer } from "./wire-server.ts";

export interface LocalPostgres {
  /** For drizzle-kit, psql and pg. */
  readonly databaseUrl: string;
  /** Where Neon's driver goes: `${neon.url}/sql`. */
  readonly neon: Part;
  stop(): Promise<void>;
}

/** PGlite has one session however many connections there are; ten is what a real server gives without being asked. */
const embeddedConnections = 1;
const realConnections = 10;

/**
 * With `databaseUrl` a real server is used and `port` is not; else PGlite, in memory or in `dataDir`. Port 0 takes any.
 * @throws PortTakenError naming POSTGRES_PORT or NEON_PORT.
 */
export async function startPostgres(options: {
  port: number;
  neonPort: number;
  dataDir?: string;
  databaseUrl?: string;
}): Promise<LocalPostgres> {
  const embedded = options.databaseUrl === undefined ? await startEmbedded(options.port, options.dataDir) : null;
  const databaseUrl = options.databaseUrl ?? `postgres://postgres:postgres@127.0.0.1:${embedded?.wire.port}/postgres`;
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: embedded === null ? realConnections : embeddedConnections,
  });
  // An idle connection that breaks is replaced by the next query; unheard, the event would end the process.
  pool.on("error", () => {});
  // So would one that is cut off while it is in use, between two statements of a batch; the batch itself fails.
  pool.on("connect", (client) => client.on("error", () => {}));

  const stopDatabase = async () => {
    // The wire first: it cuts off whoever waits for the session, so that the pool has nothing left to wait for.
    await embedded?.wire.stop();
    await pool.end();
    await embedded?.db.close();
  };
  try {
    const neon = await startPart({
      name: "Neon HTTP",
      port: options.neonPort,
      portVariable: "NEON_PORT",
      handler: neonHttp(pool),
    });
    return {
      databaseUrl,
      neon,
      async stop() {
        await neon.stop();
        await stopDatabase();
      },
    };
  } catch (error) {
    await stopDatabase();
    throw error;
  }
}

async function startEmbedded(port: number, dataDir: string | undefined): Promise<{ db: PGlite; wire: WireServer }> {
  const db = await PGlite.create(dataDir === undefined ? { loadDataDir: await emptyCluster() } : { dataDir });
  try {
    return { db, wire: await startWireServer(db, port) };
  } catch (error) {
    await db.close();
    throw error;
  }
}
