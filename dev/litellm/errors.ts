// The formats of LiteLLM's error responses, and the exception that carries them.
// Must never hold a raw key, except where LiteLLM itself returns it to its caller.

import { type Body, isDict } from "./dict.ts";
import type { Behaviour } from "./profiles.ts";
import { dictText } from "./python-text.ts";

/** An error response, thrown where the error occurs. `body` is JSON, or plain text for a crash. */
export class LitellmError extends Error {
  readonly status: number;
  readonly body: unknown;
  constructor(status: number, body: unknown) {
    super(`LiteLLM answers ${status}`);
    this.status = status;
    this.body = body;
  }
  toResponse(): Response {
    if (typeof this.body === "string") return new Response(this.body, { status: this.status });
    return Response.json(this.body, { status: this.status });
  }
}

export type ErrorType =
  | "auth_error"
  | "bad_request_error"
  | "budget_exceeded"
  | "expired_key"
  | "internal_server_error"
  | "invalid_request_error"
  | "not_found_error"
  | "token_not_found_in_db";

/** Types that 1.110 gives a status where an exception has no type of its own. */
const OPENAI_TYPES: Record<number, string> = {
  401: "auth_error",
  403: "auth_error",
  429: "rate_limit_error",
};

/** The types that LiteLLM gives to exceptions without a type. 1.110 derives the type from the status instead. */
const UNTYPED = ["None", "internal_server_error", "auth_error"];

/** An error in the format of a version. The simulator throws errors in the format of 1.81. */
export function errorOf(error: LitellmError, { errors }: Behaviour): LitellmError {
  const { status, body } = error;
  if (!isDict(body) || errors === "texts") return error;
  if (Array.isArray(body["detail"])) return errors === "openai" ? new LitellmError(status, shortIssues(body)) : error;
  const fields = body["error"];
  if (!isDict(fields) || body["type"] === "error") return error;
  const { type } = fields;
  const isNullable = errors === "openai" || type === "internal_server_error" || type === "None";
  const isTyped = type === "None" || errors === "openai";
  const param = fields["param"] === "None" && isNullable ? null : fields["param"];
  return new LitellmError(status, { error: { ...fields, type: isTyped ? openAiType(type, status) : type, param } });
}

function openAiType(type: unknown, status: number): unknown {
  if (!UNTYPED.includes(String(type))) return type;
  return OPENAI_TYPES[status] ?? (status < 500 ? "invalid_request_error" : "internal_server_error");
}

/** 1.110 repeats neither the input nor the context of an issue. */
function shortIssues(body: Body): Body {
  const issues = (body["detail"] as FieldIssue[]).map(({ type, loc, msg }) => ({ type, loc, msg }));
  return { detail: issues };
}

/** `{"error": {message, type, param, code}}`. The code is a string; an unset param is usually the text "None". */
export function proxyError(status: number, type: ErrorType, message: string, param: string | null = "None") {
  return new LitellmError(status, { error: { message, type, param, code: String(status) } });
}

/** A refusal or failure of a guardrail. LiteLLM's exception has no type; its unset fields become the text "None". */
export function guardrailError(status: number, message: string) {
  return new LitellmError(status, { error: { message, type: "None", param: "None", code: String(status) } });
}

/** Anthropic's error types by status, as far as model calls need them. */
const ANTHROPIC_TYPES: Record<number, string> = {
  401: "authentication_error",
  404: "not_found_error",
  429: "rate_limit_error",
  500: "api_error",
};

/** The same error on a messages route: Anthropic's envelope, which has LiteLLM's own type beside it. */
export function anthropicError({ status, body }: LitellmError): LitellmError {
  const error = isDict(body) && isDict(body["error"]) ? body["error"] : {};
  const type = ANTHROPIC_TYPES[status] ?? "invalid_request_error";
  const own = error["type"] === type ? {} : { litellm_error_type: error["type"] };
  return new LitellmError(status, { type: "error", error: { type, message: error["message"], ...own } });
}

/** The message of a budget_exceeded error; null for any other error. */
export function budgetRefusalMessage(error: unknown): string | null {
  const body = error instanceof LitellmError && isDict(error.body) ? error.body["error"] : null;
  if (!isDict(body) || body["type"] !== "budget_exceeded") return null;
  return String(body["message"]);
}

/** An error whose message is a dict as text, because LiteLLM converts the error detail to a string. */
export function stringifiedError(status: number, type: ErrorType, message: string, name = "error") {
  return proxyError(status, type, dictText(name, message));
}

/** `{"detail": {"error": …}}`: the error of routes that do not convert their exceptions. */
export function detailError(status: number, message: string) {
  return new LitellmError(status, { detail: { error: message } });
}

export interface FieldIssue {
  type: string;
  loc: (string | number)[];
  msg: string;
  input: unknown;
  ctx?: Record<string, unknown>;
}

/** `{"detail": […]}` with status 422. */
export function validationError(issues: FieldIssue[]) {
  return new LitellmError(422, { detail: issues });
}

/** A violated rule for the whole body. The issue names the body instead of a field. */
export function bodyRuleError(message: string, body: unknown) {
  const msg = `Value error, ${message}`;
  return validationError([{ type: "value_error", loc: ["body"], msg, input: body, ctx: { error: {} } }]);
}

/** An exception that no route of LiteLLM catches. */
export function crash() {
  return new LitellmError(500, "Internal Server Error");
}
