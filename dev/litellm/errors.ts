// The shapes in which LiteLLM refuses and fails, and the one exception that carries them to the response.
// Must never hold a raw key beyond what LiteLLM itself sends back to its caller.

import { isDict } from "./dict.ts";
import { dictText } from "./python-text.ts";

/** An answer other than success, thrown from wherever it is found out. `body` is JSON, or plain text for a crash. */
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

/** `{"error": {message, type, param, code}}`; the code is a string, and an unset param is usually the text "None". */
export function proxyError(status: number, type: ErrorType, message: string, param: string | null = "None") {
  return new LitellmError(status, { error: { message, type, param, code: String(status) } });
}

/** A guardrail's refusal or failure: an exception that knows no type, whose unset fields become the text "None". */
export function guardrailError(status: number, message: string) {
  return new LitellmError(status, { error: { message, type: "None", param: "None", code: String(status) } });
}

/** The message of a refusal over budget, null for anything else that was thrown. */
export function budgetRefusalMessage(error: unknown): string | null {
  const body = error instanceof LitellmError && isDict(error.body) ? error.body["error"] : null;
  if (!isDict(body) || body["type"] !== "budget_exceeded") return null;
  return String(body["message"]);
}

/** An error detail that was a dict and became text on its way out. */
export function stringifiedError(status: number, type: ErrorType, message: string, name = "error") {
  return proxyError(status, type, dictText(name, message));
}

/** `{"detail": {"error": …}}`: what routes answer that let their exceptions through. */
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

/** A rule over the whole body, found broken: the issue names the body, not a field. */
export function bodyRuleError(message: string, body: unknown) {
  const msg = `Value error, ${message}`;
  return validationError([{ type: "value_error", loc: ["body"], msg, input: body, ctx: { error: {} } }]);
}

/** An exception that no route of LiteLLM catches. */
export function crash() {
  return new LitellmError(500, "Internal Server Error");
}
