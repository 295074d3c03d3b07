// A receiver of LiteLLM's requests: records them byte for byte, and answers as a test sets it. Must not depend on the
// simulator.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Received {
  path: string;
  headers: Record<string, string>;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: any JSON that is sent; tests assert what they read of it
  json: any;
}

/** Null: never answers. */
type Answer = { status?: number; body?: string; headers?: Record<string, string> } | null;

export interface Receiver {
  url: string;
  received: Received[];
  answer: (request: Received) => Answer | Promise<Answer>;
  stop: () => Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const server = createServer((request, response) => {
    void text(request).then(async (body) => {
      const one: Received = {
        path: request.url ?? "",
        headers: request.headers as Record<string, string>,
        text: body,
        json: body.includes("}\n{") ? null : JSON.parse(body),
      };
      receiver.received.push(one);
      const answer = await receiver.answer(one);
      if (answer !== null) response.writeHead(answer.status ?? 200, answer.headers).end(answer.body ?? "{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: [],
    answer: () => ({}),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
