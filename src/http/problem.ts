// Every error of the API, as RFC 9457 problem+json. Owns the list of types; they are stable, their texts are not.

import type { Context } from "hono";
import type { AppEnv } from "./app-env.ts";

const PROBLEMS = {
  "malformed-json": { status: 400, title: "The body is not JSON" },
  unauthorized: { status: 401, title: "A valid token is required" },
  "invalid-signature": { status: 401, title: "A valid signature is required" },
  "unknown-key": { status: 401, title: "The virtual key is not known" },
  "budget-exceeded": { status: 402, title: "Budget exceeded" },
  "tenant-suspended": { status: 403, title: "The tenant is suspended" },
  "not-found": { status: 404, title: "Not found" },
  "method-not-allowed": { status: 405, title: "Method not allowed" },
  "tenant-taken": { status: 409, title: "The tenant exists already" },
  "subject-taken": { status: 409, title: "The LiteLLM key or team belongs to a tenant already" },
  "channel-not-configured": { status: 409, title: "This deployment cannot send through such a channel" },
  "request-running": { status: 409, title: "A request with this idempotency key is still running" },
  "unknown-queue": { status: 409, title: "The queue is not one of this deployment" },
  "too-large": { status: 413, title: "The body is too large" },
  "invalid-fields": { status: 422, title: "Some fields are not valid" },
  "idempotency-key-reused": { status: 422, title: "The idempotency key was used with another body" },
  "litellm-refused": { status: 422, title: "LiteLLM refused the change" },
  "too-many-requests": { status: 429, title: "Too many requests" },
  "internal-error": { status: 500, title: "Internal error" },
  "channel-failed": { status: 502, title: "The notice could not be delivered" },
  "spend-unknown": { status: 503, title: "The spend is not known" },
  "dependency-unavailable": { status: 503, title: "A service that Bursar needs cannot be reached" },
} as const;

export type ProblemType = keyof typeof PROBLEMS;

export interface FieldError {
  /** Path of the field, dotted; empty for the body as a whole. */
  readonly field: string;
  readonly message: string;
}

/** Answers with a problem. `members` are its extension members, `headers` come on top of the usual ones. */
export function problem(
  c: Context<AppEnv>,
  type: ProblemType,
  options: {
    detail?: string;
    members?: Readonly<Record<string, unknown>>;
    headers?: Readonly<Record<string, string>>;
  } = {},
): Response {
  const { status, title } = PROBLEMS[type];
  const speaksOpenAi = c.get("speaksOpenAi");
  const body = {
    type: `urn:bursar:problem:${type}`,
    title,
    status,
    ...(options.detail !== undefined && { detail: options.detail }),
    request_id: c.get("requestId"),
    ...options.members,
    ...(speaksOpenAi && { error: openAiError(status, options.detail ?? title, options.members?.["reason"] ?? type) }),
  };
  return c.body(JSON.stringify(body), status, {
    "Content-Type": "application/problem+json",
    // Trying again at once changes nothing about a refusal.
    ...(speaksOpenAi && (status === 402 || status === 403) && { "x-should-retry": "false" }),
    ...options.headers,
  });
}

/** `budget_exceeded` is LiteLLM's own word for a refusal; a failure never has it. */
function openAiError(status: number, message: string, code: unknown) {
  const type = { 401: "authentication_error", 402: "budget_exceeded", 403: "budget_exceeded" }[status];
  return { message, type: type ?? (status < 500 ? "invalid_request_error" : "api_error"), param: null, code };
}

export function noSuchTenant(c: Context<AppEnv>): Response {
  return problem(c, "not-found", { detail: "There is no such tenant." });
}

/** Long enough for a connection to come back or LiteLLM to restart, short enough for a person who waits. */
const RETRY_DEPENDENCY_SECONDS = 5;

/** 503, to be tried again soon. */
export function dependencyAway(c: Context<AppEnv>, detail: string): Response {
  const headers = { "Retry-After": String(RETRY_DEPENDENCY_SECONDS) };
  return problem(c, "dependency-unavailable", { detail, headers });
}

/** 422, naming each field that is not valid. */
export function invalidFields(c: Context<AppEnv>, errors: readonly FieldError[]): Response {
  const detail = errors.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join("; ");
  return problem(c, "invalid-fields", { detail, members: { errors } });
}
