// A server that answers what a test wrote down, in order, the last of it for ever, and keeps what it was asked.

import { type Part, startPart } from "../../../dev/part.ts";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | null;
  readonly body: string;
  /** Milliseconds, of a clock that only goes forward. */
  readonly at: number;
}

/** A status with a body (JSON unless it is text) and headers. */
export type Scripted = readonly [status: number, body?: unknown, headers?: Record<string, string>];

export interface ScriptedServer extends Part {
  readonly asked: Asked[];
  answers(...scripted: Scripted[]): void;
}

export async function startScriptedServer(): Promise<ScriptedServer> {
  let script: Scripted[] = [];
  const asked: Asked[] = [];
  const part = await startPart({
    name: "scripted",
    port: 0,
    portVariable: "none",
    async handler(request) {
      const at = performance.now();
      const { pathname, search } = new URL(request.url);
      const authorization = request.headers.get("authorization");
      asked.push({ method: request.method, path: pathname + search, authorization, body: await request.text(), at });
      const [status, body, headers] = (script.length > 1 ? script.shift() : script[0]) ?? [404];
      const text = typeof body === "string" ? body : JSON.stringify(body ?? null);
      return new Response(text, { status, ...(headers && { headers }) });
    },
  });
  return {
    ...part,
    asked,
    answers(...scripted) {
      asked.length = 0;
      script = scripted;
    },
  };
}
