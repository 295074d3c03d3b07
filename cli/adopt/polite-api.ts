// A JSON client for a service that others depend on: retries when the service is busy or unreachable. Never logs, and
// never puts a key or a token into a message.

import pRetry from "p-retry";

export interface Api {
  get(path: string): Promise<ApiAnswer>;
  post(path: string, body: unknown): Promise<ApiAnswer>;
}

export interface ApiAnswer {
  readonly status: number;
  /** Parsed JSON. Null when the answer is not JSON. */
  readonly body: unknown;
}

/** Retries back off exponentially from 0.5 s, for about 15 s in all: as long as a restart takes. */
export const PATIENCE = { retries: 5, minTimeout: 500 };

/** Long, because LiteLLM reads all teams with all their keys for one answer. */
const TIMEOUT_MS = 60_000;

/** The upper limit for a Retry-After header: the command prints nothing while it waits. */
const MAX_WAIT_MS = 30_000;

/** The service is unreachable, slow or overloaded. A retry may succeed. */
class Unavailable extends Error {
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs = 0) {
    super(message);
    this.retryAfterMs = Math.min(retryAfterMs, MAX_WAIT_MS);
  }
}

/**
 * Returns answers with any status except 429 and 5xx, which it retries.
 * @throws Error with a message for the operator when the retries are used up.
 */
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
      `${name} answers ${describeAnswer(answer)}`,
      Number(response.headers.get("Retry-After")) * 1_000 || 0,
    );
  }
  return answer;
}

/** The status and, if the body has one, the reason. */
export function describeAnswer({ status, body }: ApiAnswer): string {
  const reason = reasonIn(body);
  return reason === null ? String(status) : `${status}: ${withoutKeys(reason)}`;
}

/** The reason in a problem+json body, or in one of LiteLLM's shapes of error. */
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

/** LiteLLM's errors may quote the key. */
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
