// One call to LiteLLM: time-out, circuit breaker, and the parsing of its errors. Never logs; never puts a key in a URL.

import {
  afterAnswer,
  afterFailure,
  afterProbe,
  type BreakerState,
  CLOSED_BREAKER,
  isOpen,
  isProbeDue,
  whileProbing,
} from "../../budget/failure.ts";
import type { Instant } from "../../budget/instant.ts";
import type { Background } from "../../ports/ports.ts";
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

  recordAnswer(): void {
    this.#state = afterAnswer();
  }

  /** True when the caller must send a probe; no other caller is told so meanwhile. */
  recordFailure(subject: string, now: Instant): boolean {
    this.#state = afterFailure(this.#state, subject, now);
    const isDue = isProbeDue(this.#state, now);
    if (isDue) this.#state = whileProbing(this.#state, now);
    return isDue;
  }

  recordProbe(hasAnswered: boolean, now: Instant): void {
    this.#state = afterProbe(this.#state, hasAnswered, now);
  }
}

export interface LiteLlmHttp {
  call(request: LiteLlmRequest): Promise<Result<unknown, LiteLlmFailure>>;
  /**
   * Asks for the key `NO_KEY`: LiteLLM must accept Bursar's key and reach its database. Goes out through an open
   * breaker.
   */
  probe(): Promise<Result<void, LiteLlmFailure>>;
}

export interface LiteLlmRequest {
  /** Whose row the call is about: the breaker counts the failures of one subject once. */
  readonly subject: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** The hash of no key. */
const NO_KEY = "0".repeat(64);

const PROBE = { method: "GET", path: "/key/info", query: { key: NO_KEY } } as const;

export function liteLlmHttp(options: {
  url: string;
  masterKey: string;
  breaker: Breaker;
  clock: () => Instant;
  background: Background;
}): LiteLlmHttp {
  const { breaker, clock, background } = options;
  const probe = async (): Promise<Result<void, LiteLlmFailure>> => {
    const answer = await send(options, PROBE);
    return answer.ok || answer.failure.kind === "not_found" ? success(undefined) : answer;
  };
  /** In the background: the caller whose call failed has waited long enough. */
  const probeForBreaker = async () => breaker.recordProbe(isAnswer(await probe()), clock());
  return {
    probe,
    async call(request) {
      if (breaker.isOpen(clock())) return unreachable("breaker open");
      const answer = await send(options, request);
      if (isAnswer(answer)) breaker.recordAnswer();
      else if (breaker.recordFailure(request.subject, clock())) background("litellm probe", probeForBreaker());
      return answer;
    },
  };
}

/** A refusal, and that there is no such key, are answers: LiteLLM is up. */
function isAnswer(result: Result<unknown, LiteLlmFailure>): boolean {
  return result.ok || result.failure.kind !== "unreachable";
}

async function send(
  { url, masterKey }: { url: string; masterKey: string },
  request: Omit<LiteLlmRequest, "subject">,
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
