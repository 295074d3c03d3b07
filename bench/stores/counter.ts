// A proxy that counts requests and forwards each of them unchanged.

import { startPart } from "../../dev/part.ts";

export interface Counter {
  readonly url: string;
  /** Requests since the start or the last `reset`. */
  count(): number;
  reset(): void;
  stop(): Promise<void>;
}

export async function startCounter(name: string, target: string): Promise<Counter> {
  let requests = 0;
  const part = await startPart({
    name: `${name} counter`,
    port: 0,
    portVariable: "none",
    async handler(request) {
      requests++;
      const { pathname, search } = new URL(request.url);
      const hasBody = request.method !== "GET" && request.method !== "HEAD";
      const headers = new Headers(request.headers);
      for (const name of ["host", "connection", "content-length"]) headers.delete(name);
      const answer = await fetch(`${target}${pathname}${search}`, {
        method: request.method,
        headers,
        ...(hasBody && { body: await request.arrayBuffer() }),
      });
      return new Response(await answer.arrayBuffer(), { status: answer.status, headers: contentType(answer) });
    },
  });
  return {
    url: part.url,
    count: () => requests,
    reset() {
      requests = 0;
    },
    stop: () => part.stop(),
  };
}

function contentType(answer: Response): Record<string, string> {
  const type = answer.headers.get("content-type");
  return type === null ? {} : { "content-type": type };
}
