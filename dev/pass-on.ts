// Passes an HTTP request on to another server unchanged, and its answer back. Keeps nothing.

/** Headers that belong to a connection. `fetch` sets the new connection's own, and has decompressed the answer. */
const OF_CONNECTION = ["connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host"];

/** The answer streams; the request's body is read whole first. @throws what `fetch` throws when no server answers. */
export async function passOn(request: Request, url: string): Promise<Response> {
  const { method, headers, body } = request;
  const sent = { method, headers: without(headers), redirect: "manual" } as const;
  const answer = await fetch(url, body === null ? sent : { ...sent, body: await request.arrayBuffer() });
  return new Response(answer.body, { status: answer.status, headers: without(answer.headers) });
}

function without(headers: Headers): Headers {
  return new Headers([...headers].filter(([name]) => !OF_CONNECTION.includes(name)));
}
