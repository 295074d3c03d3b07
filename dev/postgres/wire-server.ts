// Postgres' wire protocol on loopback, in front of PGlite, for drizzle-kit, psql, pg and the Neon part.
// All clients share one session, with its settings, named prepared statements and temporary tables; an open transaction
// makes the other clients wait. Never listens beyond 127.0.0.1, because it requires no password.

import { type AddressInfo, createServer, type Server } from "node:net";
import type { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketHandler, type PGLiteSocketHandlerOptions } from "@electric-sql/pglite-socket";
import { PortTakenError } from "../part.ts";
import { SessionQueue } from "./session-queue.ts";

export interface WireServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** `port` 0 picks any free port. @throws PortTakenError naming POSTGRES_PORT. */
export async function startWireServer(db: PGlite, port: number): Promise<WireServer> {
  const handlers = new Set<PGLiteSocketHandler>();
  // The handler calls only the queue's public methods, but the type also demands private ones of the original class.
  const queryQueue = new SessionQueue(db) as unknown as PGLiteSocketHandlerOptions["queryQueue"];

  const server = createServer((socket) => {
    const handler = new PGLiteSocketHandler({ queryQueue, closeOnDetach: true });
    const forget = () => handlers.delete(handler);
    handler.addEventListener("close", forget);
    handler.addEventListener("error", forget);
    handlers.add(handler);
    void handler.attach(socket); // cannot fail: the handler is new
  });
  await listen(server, port);

  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.all([...handlers].map((handler) => handler.detach(true)));
      await closed;
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EADDRINUSE" ? new PortTakenError("Postgres", port, "POSTGRES_PORT", error) : error),
    );
    server.listen(port, "127.0.0.1", () => resolve());
  });
}
