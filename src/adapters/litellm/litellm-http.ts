// One call to LiteLLM: time-out, circuit breaker, and the parsing of its errors. Never logs; never puts a key in a URL.

import { afterFailure, afterSuccess, type BreakerState, CLOSED_BREAKER, isOpen } from "../../budget/failure.ts";
import type { Instant } from "../../budget/instant.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure } from "../../records/litellm-row.ts";

/** Long enough for a proxy under load and its database, short enough for three tries. */
const TIMEOUT_MS = 2_000;

/** FastAPI's message for an unknown route. LiteLLM's own 404s always name what is missing. */
const NO_SUCH_ROUTE = "Not Found";

/** Tracks LiteLLM's health for one isolate. Shared by its requests, so it holds no promise. */
export class Breaker {
  #state: BreakerState = CLOSED_BREAKER;

  isOpen(now: Instant): boolean {
    return isOpen(this.#state, now);
  }

  record(hasAnswered: boolean, now: Instant): void {
    this.#state = hasAnswered ? afterSuccess() : afterFailure(this.#state, now);
  }
}

export interface LiteLlmHttp {
  call(request: LiteLlmRequest): Promise<Result<unknown, LiteLlmFailure>>;
}

export interface LiteLlmRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Calls even while the breaker is open, and does not change the breaker. */
  readonly isProbe?: boolean;
}

export function liteLlmHttp(options: {
  url: string;
  masterKey: string;
  breaker: Breaker;
  clock: () => Instant;
}): LiteLlmHttp {
  const { breaker, clock } = options;
  return {
    async call(request) {
      if (request.isProbe === true) return send(options, request);
      if (breaker.isOpen(clock())) return unreachable("breaker open");
      const answer = await send(options, request);
      // A refusal shows that LiteLLM is up.
      breaker.record(answer.ok || answer.failure.kind !== "unreachable", clock());
      return answer;
    },
  };
}

async function send(
  { url, masterKey }: { url: string; masterKey: string },
  request: LiteLlmRequest,
): Promise<Result<unknown, LiteLlmFailure>> {
  const target = new URL(url + request.path);
  for (const [name, value] of Object.entries(request.query ?? {})) target.searchParams.set(name, value);
  try {
    const response = await fetch(target, {
      method: request.method,
      headers: { Authorization: `Bearer ${masterKey}`, "Content-Type": "application/json" },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    return response.ok ? fromJson(text) : fromError(response.status, text);
  } catch (error) {
    return unreachable(error instanceof Error && error.name === "TimeoutError" ? "time-out" : "network");
  }
}

function fromJson(text: string): Result<unknown, LiteLlmFailure> {
  try {
    return success(JSON.parse(text));
  } catch {
    return unparseable();
  }
}

/** Leaves a 401 to the caller, which knows whether its request named a key. */
function fromError(status: number, text: string): Result<unknown, LiteLlmFailure> {
  if (status >= 500 || status === 429 || status === 408) return unreachable(`status ${status}`);
  // A redirect, or a page of a proxy in front of LiteLLM, is not LiteLLM's answer.
  const body = errorBody(text);
  if (status < 400 || body === null) return unreachable(`status ${status} without LiteLLM's error`);
  // The route does not exist: the address is wrong, and the 404 is not about a key.
  if (status === 404 && body.message === NO_SUCH_ROUTE) {
    return failure({ kind: "unreachable", why: "status 404: no such route", lacksRoute: true });
  }
  if (status === 404) return failure({ kind: "not_found" });
  return failure({ kind: "refused", status, param: body.param, message: withoutKeys(body.message) });
}

/** Parses `{"error":{message,param}}`, `{"detail":{"error"}}`, `{"detail":[{loc,msg}]}` and `{"detail":"…"}`. */
function errorBody(text: string): { param: string | null; message: string } | null {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(body)) return null;
  const { error, detail } = body;
  if (isObject(error)) return { param: textOrNull(error["param"]), message: String(error["message"] ?? "") };
  if (isObject(detail)) return { param: null, message: String(detail["error"] ?? "") };
  if (Array.isArray(detail)) {
    const messages = detail.filter(isObject).map((one) => String(one["msg"] ?? ""));
    return { param: null, message: messages.join("; ") };
  }
  return typeof detail === "string" ? { param: null, message: detail } : null;
}

/** LiteLLM's messages may quote a key. */
function withoutKeys(message: string): string {
  return message.replace(/sk-[\w-]+/g, "sk-…");
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function unparseable(): { ok: false; failure: LiteLlmFailure } {
  return failure({ kind: "unreachable", why: "unparseable answer", isUnparseable: true });
}

function unreachable(why: string): { ok: false; failure: LiteLlmFailure } {
  return failure({ kind: "unreachable", why });
}
