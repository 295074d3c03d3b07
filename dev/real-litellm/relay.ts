// Stands between LiteLLM and the Worker. Passes every request on unchanged, remembers its path and its status, and can
// be broken like every part of the local stack: then the Worker hangs or fails as LiteLLM sees it.

import { Hono } from "hono";
import { type Part, startPart } from "../part.ts";
import { passOn } from "../pass-on.ts";

export interface Relayed {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly receivedAt: number;
  /** Until the Worker's status. */
  readonly tookMs: number;
}

const MAX_KEPT = 10_000;

export interface Relay extends Part {
  /** Until then the relay answers 503. */
  connect(workerUrl: string): void;
}

/** `GET /_relayed` answers the requests so far; `PUT` and `DELETE /_fault` break and mend it. */
export async function startRelay(): Promise<Relay> {
  let workerUrl: string | null = null;
  const relayed: Relayed[] = [];
  const app = new Hono();
  app.get("/_relayed", (c) => c.json(relayed));
  app.all("*", async (c) => {
    if (workerUrl === null) return c.text("the Worker has not started", 503);
    const receivedAt = Date.now();
    const begunAt = performance.now();
    const { pathname: path, search } = new URL(c.req.url);
    const response = await passOn(c.req.raw, workerUrl + path + search);
    if (relayed.length >= MAX_KEPT) relayed.shift();
    const tookMs = performance.now() - begunAt;
    relayed.push({ method: c.req.method, path, status: response.status, receivedAt, tookMs });
    return response;
  });
  const part = await startPart({ name: "relay", port: 0, portVariable: "", handler: (request) => app.fetch(request) });
  return {
    ...part,
    connect(url) {
      workerUrl = url;
    },
  };
}
