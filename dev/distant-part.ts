// Puts a distance between a client and a part of the local stack: each request arrives late by a constant time, as over
// a network of that round trip. Counts the requests. Changes nothing in them.

import { type Part, startPart } from "./part.ts";
import { passOn } from "./pass-on.ts";

export interface DistantRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body: string;
  readonly at: number;
}

export interface DistantPart extends Part {
  /** Milliseconds that each request takes longer. */
  setDelay(delayMs: number): void;
  /** The requests so far, first to last. */
  requests(): readonly DistantRequest[];
  clearRequests(): void;
  /** The requests that are not answered yet. */
  inFlight(): number;
}

/** Stands in front of `url`. Its own faults break the way, not the part behind it. */
export async function startDistantPart(options: { name: string; url: string; delayMs: number }): Promise<DistantPart> {
  let { delayMs } = options;
  let requests: DistantRequest[] = [];
  let inFlight = 0;
  const part = await startPart({
    name: options.name,
    port: 0,
    portVariable: "none",
    async handler(request) {
      const { method, url, headers } = request;
      const { pathname, search } = new URL(url);
      const path = pathname + search;
      inFlight++;
      try {
        const arrives = new Promise((resolve) => setTimeout(resolve, delayMs));
        const body = request.body === null ? null : await request.text();
        requests.push({ method, path, body: body ?? "", at: Date.now() });
        await arrives;
        return await passOn(new Request(url, { method, headers, body }), options.url + path);
      } finally {
        inFlight--;
      }
    },
  });
  return {
    ...part,
    setDelay(next) {
      delayMs = next;
    },
    requests: () => requests,
    inFlight: () => inFlight,
    clearRequests() {
      requests = [];
    },
  };
}
