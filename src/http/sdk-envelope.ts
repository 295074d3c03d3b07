// The members of a problem that OpenAI's and Anthropic's SDKs read, beside Bursar's own. Decides only.

/** Whose format an agent's SDK expects. */
export type Envelope = "openai" | "anthropic";

interface Described {
  readonly problemType: string;
  readonly status: number;
  readonly message: string;
  /** The verdict's reason, or the last part of the problem type. */
  readonly code: unknown;
}

/** The types by status. Both SDKs choose their exception by the status, so a type is for people and for code. */
const OPENAI_TYPES: Record<number, string> = {
  401: "authentication_error",
  402: "budget_exceeded",
  403: "budget_exceeded",
  429: "rate_limit_error",
};

const ANTHROPIC_TYPES: Record<number, string> = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
};

/**
 * `type` in Anthropic's envelope is always `error`, so the problem's type moves to `problem_type`.
 * `budget_exceeded` is LiteLLM's own type for a refusal, never used for a failure or a call worth a retry.
 */
export function envelopeMembers(envelope: Envelope, { problemType, status, message, code }: Described) {
  const other = status < 500 ? "invalid_request_error" : "api_error";
  if (envelope === "openai") return { error: { message, type: OPENAI_TYPES[status] ?? other, param: null, code } };
  return {
    type: "error",
    problem_type: problemType,
    error: {
      type: ANTHROPIC_TYPES[status] ?? other,
      message,
      code,
      ...(isRefusal(status) && { litellm_error_type: "budget_exceeded" }),
    },
  };
}

/**
 * Headers for the SDKs. `x-should-retry` stops them from repeating a refusal. Anthropic's envelope is plain JSON: its
 * `type` is not a problem's.
 */
export function envelopeHeaders(envelope: Envelope, status: number): Record<string, string> {
  return {
    ...(isRefusal(status) && { "x-should-retry": "false" }),
    ...(envelope === "anthropic" && { "Content-Type": "application/json" }),
  };
}

function isRefusal(status: number): boolean {
  return status === 402 || status === 403;
}
