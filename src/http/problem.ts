// Every error of the API, as RFC 9457 problem+json. Gate adds what the agent's SDK reads. Owns the problem types. Types
// are stable, texts may change.

import type { Context } from "hono";
import type { AppEnv } from "./app-env.ts";
import { envelopeHeaders, envelopeMembers } from "./sdk-envelope.ts";

const PROBLEMS = {
  "malformed-json": { status: 400, title: "The body is not JSON" },
  unauthorized: { status: 401, title: "A valid token is required" },
  "invalid-signature": { status: 401, title: "A valid signature is required" },
  "unknown-key": { status: 401, title: "The virtual key is unknown" },
  "budget-exceeded": { status: 402, title: "Budget exceeded" },
  "admin-token-required": { status: 403, title: "An admin token is required" },
  "tenant-suspended": { status: 403, title: "The tenant is suspended" },
  "litellm-blocked": { status: 403, title: "The key or team is blocked in LiteLLM" },
  "not-found": { status: 404, title: "Not found" },
  "method-not-allowed": { status: 405, title: "Method not allowed" },
  "tenant-taken": { status: 409, title: "The tenant already exists" },
  "tenant-deleted": { status: 409, title: "The tenant was deleted" },
  "subject-taken": { status: 409, title: "The LiteLLM key or team already belongs to a tenant" },
  "key-not-replaceable": { status: 409, title: "Bursar cannot replace or remove this key" },
  "channel-not-configured": { status: 409, title: "This deployment cannot send to this kind of channel" },
  "request-running": { status: 409, title: "A request with this idempotency key is still running" },
  "unknown-queue": { status: 409, title: "This deployment has no such queue" },
  "precondition-failed": { status: 412, title: "The resource has changed since the version in If-Match" },
  "too-large": { status: 413, title: "The body is too large" },
  "unsupported-encoding": { status: 415, title: "The encoding of the body is not supported" },
  "invalid-fields": { status: 422, title: "Some fields are invalid" },
  "idempotency-key-reused": { status: 422, title: "The idempotency key was used with another body" },
  "litellm-refused": { status: 422, title: "LiteLLM refused the change" },
  "litellm-refused-call": { status: 429, title: "LiteLLM refused the call" },
  "too-many-requests": { status: 429, title: "Too many requests" },
  "internal-error": { status: 500, title: "Internal error" },
  "call-broken-off": { status: 502, title: "LiteLLM broke off the call" },
  "channel-failed": { status: 502, title: "The notice could not be delivered" },
  "spend-unknown": { status: 503, title: "The spend is unknown" },
  "look-up-slow": { status: 503, title: "The tenant could not be looked up in time" },
  "subject-missing": { status: 503, title: "LiteLLM does not have the tenant's key or team" },
  "dependency-unavailable": { status: 503, title: "A service that Bursar needs cannot be reached" },
} as const;

export type ProblemType = keyof typeof PROBLEMS;

export interface FieldError {
  /** Dotted path of the field; empty for the whole body. */
  readonly field: string;
  readonly message: string;
}

/** The problem response. `members` are its extension members; `headers` are added to the default ones. */
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
  const envelope = c.get("envelope");
  const problemType = `urn:bursar:problem:${type}`;
  const message = options.detail ?? title;
  const code = options.members?.["reason"] ?? type;
  const body = {
    type: problemType,
    title,
    status,
    ...(options.detail !== undefined && { detail: options.detail }),
    request_id: c.get("requestId"),
    ...options.members,
    ...(envelope !== undefined && envelopeMembers(envelope, { problemType, status, message, code })),
  };
  return c.body(JSON.stringify(body), status, {
    "Content-Type": "application/problem+json",
    ...(envelope !== undefined && envelopeHeaders(envelope, status)),
    ...options.headers,
  });
}

/** 412: another change came first. */
export function otherVersion(c: Context<AppEnv>): Response {
  return problem(c, "precondition-failed", {
    detail: "Nothing was changed. Read the resource again, and send its new ETag.",
  });
}

export function noSuchTenant(c: Context<AppEnv>): Response {
  return problem(c, "not-found", { detail: "There is no such tenant." });
}

/** Long enough for a reconnect or a restart of LiteLLM, short enough for a waiting person. */
const RETRY_DEPENDENCY_SECONDS = 5;

/** 503 with `Retry-After`. */
export function dependencyUnavailable(c: Context<AppEnv>, detail: string): Response {
  const headers = { "Retry-After": String(RETRY_DEPENDENCY_SECONDS) };
  return problem(c, "dependency-unavailable", { detail, headers });
}

/** 422 that names each invalid field. */
export function invalidFields(c: Context<AppEnv>, errors: readonly FieldError[]): Response {
  const detail = errors.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join("; ");
  return problem(c, "invalid-fields", { detail, members: { errors } });
}
