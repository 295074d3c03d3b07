// One part of the local stack: an HTTP server on loopback with injectable faults.
// Independent of what it serves. A fault acts before the handler runs, so a broken part does no work; `lost` acts
// after it.

import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer, type Http2Bindings, type HttpBindings } from "@hono/node-server";

/**
 * A fault of a part. It lasts until it is removed.
 * - `slow`: answers correctly, after `delayMs` milliseconds
 * - `hang`: accepts the request and never answers
 * - `error`: answers with `status` and a body that is not JSON
 * - `nonsense`: answers 200 with JSON that is unrelated to the protocol
 * - `reset`: closes the connection
 * - `lost`: does the work and closes the connection without an answer
 * `path` limits the fault to request paths that contain it, `body` to request bodies. `times` removes the fault after
 * that many requests.
 */
export type Fault = { path?: string; body?: string; times?: number } & (
  | { kind: "slow"; delayMs: number }
  | { kind: "hang" }
  | { kind: "error"; status: number }
  | { kind: "nonsense" }
  | { kind: "reset" }
  | { kind: "lost" }
);

export interface Part {
  readonly name: string;
  readonly port: number;
  readonly url: string;
  /** Sets the fault; null removes it. Also `PUT /_fault` with a `Fault` as JSON, and `DELETE /_fault`. */
  setFault(fault: Fault | null): void;
  /** Closes the listener and every connection, like a crash of the process. */
  stop(): Promise<void>;
  /** Listens again on the same port after `stop`. */
  restart(): Promise<void>;
}

export class PortTakenError extends Error {
  readonly port: number;
  constructor(name: string, port: number, variable: string, cause: unknown) {
    super(`${name}: port ${port} is taken; set ${variable} to another one`, { cause });
    this.port = port;
  }
}

/**
 * Serves `handler` on 127.0.0.1. `port` 0 picks any free port.
 * @throws PortTakenError naming `portVariable`, the environment variable that sets the port.
 */
export async function startPart(options: {
  name: string;
  port: number;
  portVariable: string;
  handler: (request: Request) => Response | Promise<Response>;
}): Promise<Part> {
  let fault: Fault | null = null;
  const takeFault = (path: string, body: string): Fault | null => {
    if (fault === null || !path.includes(fault.path ?? "") || !body.includes(fault.body ?? "")) return null;
    const taken = fault;
    if (taken.times !== undefined) fault = taken.times > 1 ? { ...taken, times: taken.times - 1 } : null;
    return taken;
  };

  async function answer(request: Request, { incoming }: HttpBindings | Http2Bindings): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/_fault") {
      fault = request.method === "PUT" ? ((await request.json()) as Fault) : null;
      return Response.json({ fault });
    }
    const taken = takeFault(pathname, fault?.body === undefined ? "" : await request.clone().text());
    switch (taken?.kind) {
      case undefined:
        return options.handler(request);
      case "slow":
        await new Promise((resolve) => setTimeout(resolve, taken.delayMs));
        return options.handler(request);
      case "hang":
        return new Promise<Response>(() => {});
      case "error":
        return new Response("<html>broken on purpose</html>", { status: taken.status });
      case "nonsense":
        return Response.json({ nonsense: [1, "two", null] });
      case "reset":
        incoming.socket.destroy();
        return new Response(null, { status: 500 }); // never sent: the socket is closed
      case "lost": {
        const unsent = await options.handler(request);
        incoming.socket.destroy();
        return unsent;
      }
    }
  }

  const create = () => createAdaptorServer({ fetch: answer, overrideGlobalObjects: false }) as Server;

  let server = create();
  await listen(server, options.port, options);
  const { port } = server.address() as AddressInfo;

  return {
    name: options.name,
    port,
    url: `http://127.0.0.1:${port}`,
    setFault(next) {
      fault = next;
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
    async restart() {
      server = create();
      await listen(server, port, options);
    },
  };
}

function listen(server: Server, port: number, part: { name: string; portVariable: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EADDRINUSE" ? new PortTakenError(part.name, port, part.portVariable, error) : error),
    );
    server.listen(port, "127.0.0.1", () => resolve());
  });
}
