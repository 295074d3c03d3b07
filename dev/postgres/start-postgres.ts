// The local stack's Postgres: PGlite behind the wire protocol, or a real server, with Neon's HTTP protocol in front.
// Starts and stops them. Never changes the contents of the database.

import { PGlite } from "@electric-sql/pglite";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import pg from "pg";
import { type Part, startPart } from "../part.ts";
import { emptyCluster } from "./empty-cluster.ts";
import { neonHttp } from "./neon-http.ts";
import { startWireServer, type WireServer } from "./wire-server.ts";

export interface LocalPostgres {
  /** For drizzle-kit, psql and pg. */
  readonly databaseUrl: string;
  /** Neon's driver connects to `${neon.url}/sql`. */
  readonly neon: Part;
  stop(): Promise<void>;
}

/** Pool sizes. PGlite has one session, whatever the number of connections; ten is the default of pg.Pool. */
const embeddedConnections = 1;
const realConnections = 10;

/**
 * With `databaseUrl` it uses a real server and ignores `port`; otherwise PGlite, in memory or in `dataDir`.
 * Port 0 picks any free port.
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
  // The next query replaces an idle connection that broke. Without a listener the event would crash the process.
  pool.on("error", () => {});
  // The same holds for a connection that breaks between two statements of a batch. The batch itself fails.
  pool.on("connect", (client) => client.on("error", () => {}));

  const stopDatabase = async () => {
    // Stop the wire server first: it disconnects clients that wait for the session, so the pool can end at once.
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
  const source = dataDir === undefined ? { loadDataDir: await emptyCluster() } : { dataDir };
  const db = await PGlite.create({ ...source, extensions: { pg_trgm } });
  try {
    return { db, wire: await startWireServer(db, port) };
  } catch (error) {
    await db.close();
    throw error;
  }
}
