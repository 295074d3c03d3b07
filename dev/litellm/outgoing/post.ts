// POSTs like LiteLLM's HTTP client: only the client's few headers, no redirects, no retries.
// Must not use fetch, which adds headers that LiteLLM does not send.

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { createGunzip, createInflate } from "node:zlib";

/** LiteLLM's own timeout. */
const TIMEOUT_MS = 600_000;

export type PostAnswer = { status: number; reason: string; text: string } | { status: null; reason: string };

export interface PostRequest {
  url: string;
  headers?: Record<string, string>;
  body: string;
  timeoutMs?: number;
}

/** Sends one request. For a refused or closed connection and for a timeout the status is null. */
export type Post = (request: PostRequest) => Promise<PostAnswer>;

/** `close` ends every connection and fails the requests in flight. */
export function litellmClient(version: string): { post: Post; close: () => void } {
  const http = new HttpAgent({ keepAlive: true });
  const https = new HttpsAgent({ keepAlive: true });
  const post: Post = async ({ url, headers, body, timeoutMs = TIMEOUT_MS }) => {
    const options = {
      method: "POST",
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        accept: "*/*",
        "accept-encoding": "gzip, deflate",
        "user-agent": `litellm/${version}`,
        "content-type": "application/json",
        ...headers,
      },
    };
    try {
      const { protocol } = new URL(url);
      return await (protocol === "https:"
        ? answered(httpsRequest(url, { ...options, agent: https }), body)
        : answered(httpRequest(url, { ...options, agent: http }), body));
    } catch (error) {
      return { status: null, reason: error instanceof Error ? error.message : String(error) };
    }
  };
  const close = () => {
    http.destroy();
    https.destroy();
  };
  return { post, close };
}

async function answered(request: ReturnType<typeof httpRequest>, body: string): Promise<PostAnswer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.on("error", reject);
    request.end(body);
  });
  const { statusCode: status = 0, statusMessage: reason = "" } = response;
  return { status, reason, text: await text(decoded(response)) };
}

function decoded(response: IncomingMessage): NodeJS.ReadableStream {
  const encoding = response.headers["content-encoding"];
  if (encoding === "gzip") return response.pipe(createGunzip());
  return encoding === "deflate" ? response.pipe(createInflate()) : response;
}
