// JSON over HTTP to a service that others depend on: patient with one that is busy or away. Never logs, and never lets a
// key or a token into a message.

import pRetry from "p-retry";

export interface Api {
  get(path: string): Promise<ApiAnswer>;
  post(path: string, body: unknown): Promise<ApiAnswer>;
}

export interface ApiAnswer {
  readonly status: number;
  /** Parsed JSON; null when there is none. */
  readonly body: unknown;
}

/** Half a second, then ever twice as long: some 15 s in all, which a restart takes. */
export const PATIENCE = { retries: 5, minTimeout: 500 };

/** LiteLLM reads all teams with all their keys for one answer. */
const TIMEOUT_MS = 60_000;

/** Longer than anybody waits at a terminal without a word. */
const MAX_WAIT_MS = 30_000;

/** Gone, or in trouble; it may be better in a moment. */
class Unavailable extends Error {
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs = 0) {
    super(message);
    this.retryAfterMs = Math.min(retryAfterMs, MAX_WAIT_MS);
  }
}

/** What has no status below 400 is an answer too, except 429 and 5xx. @throws Error in words once patience is over. */
export function politeApi(
  name: string,
  { url, token }: { readonly url: string; readonly token: string },
  patience: typeof PATIENCE = PATIENCE,
): Api {
  const call = (method: "GET" | "POST", path: string, body?: unknown) =>
    pRetry(() => send(name, { method, url: url + path, token, body }), {
      ...patience,
      randomize: true,
      shouldRetry: ({ error }) => error instanceof Unavailable,
      async onFailedAttempt({ error, retriesLeft }) {
        const waitMs = error instanceof Unavailable && retriesLeft > 0 ? error.retryAfterMs : 0;
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      },
    });
  return { get: (path) => call("GET", path), post: (path, body) => call("POST", path, body) };
}

async function send(
  name: string,
  { method, url, token, body }: { method: string; url: string; token: string; body: unknown },
): Promise<ApiAnswer> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    const isSlow = error instanceof Error && error.name === "TimeoutError";
    throw new Unavailable(`${name} ${isSlow ? "takes too long" : "cannot be reached"}`);
  }
  const { status } = response;
  const answer = { status, body: jsonFrom(text) };
  if (status === 429 || status >= 500) {
    throw new Unavailable(
      `${name} answers ${wordsOf(answer)}`,
      Number(response.headers.get("Retry-After")) * 1_000 || 0,
    );
  }
  return answer;
}

/** Status and, where it says one, the reason. */
export function wordsOf({ status, body }: ApiAnswer): string {
  const said = reasonIn(body);
  return said === null ? String(status) : `${status}: ${withoutKeys(said)}`;
}

/** A problem's detail, or one of LiteLLM's shapes. */
function reasonIn(body: unknown): string | null {
  if (!isRecord(body)) return null;
  const { detail, title, error } = body;
  const candidates = [
    detail,
    isRecord(detail) ? detail["error"] : null,
    isRecord(error) ? error["message"] : null,
    title,
  ];
  return candidates.find((text) => typeof text === "string") ?? null;
}

/** LiteLLM's refusals may quote the key that they are about. */
function withoutKeys(text: string): string {
  return text.replace(/sk-[\w-]+/g, "sk-…").replace(/[0-9a-f]{64}/gi, (hash) => `${hash.slice(0, 12)}…`);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
