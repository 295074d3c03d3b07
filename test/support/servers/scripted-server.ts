// A server that returns the answers that a test sets, in order, and repeats the last. Records the requests.

import { type Part, startPart } from "../../../dev/part.ts";

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | null;
  readonly body: string;
  /** Milliseconds of a monotonic clock. */
  readonly at: number;
}

/** A status with a body (JSON unless it is text) and headers. */
export type Scripted = readonly [status: number, body?: unknown, headers?: Record<string, string>];

export interface ScriptedServer extends Part {
  readonly requests: ReceivedRequest[];
  answers(...scripted: Scripted[]): void;
}

export async function startScriptedServer(): Promise<ScriptedServer> {
  let script: Scripted[] = [];
  const requests: ReceivedRequest[] = [];
  const part = await startPart({
    name: "scripted",
    port: 0,
    portVariable: "none",
    async handler(request) {
      const at = performance.now();
      const { pathname, search } = new URL(request.url);
      const authorization = request.headers.get("authorization");
      requests.push({ method: request.method, path: pathname + search, authorization, body: await request.text(), at });
      const [status, body, headers] = (script.length > 1 ? script.shift() : script[0]) ?? [404];
      const text = typeof body === "string" ? body : JSON.stringify(body ?? null);
      return new Response(text, { status, ...(headers && { headers }) });
    },
  });
  return {
    ...part,
    requests,
    answers(...scripted) {
      requests.length = 0;
      script = scripted;
    },
  };
}
