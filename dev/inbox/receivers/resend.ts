// Resend's `POST /emails`, with the same checks, errors and idempotency keys. Sends nothing to the network.

import { isObject, type JsonObject, listOf, objectOf, textOf } from "../untrusted-json.ts";
import { addressText, addressTexts, isAddress, MAX_RECIPIENTS } from "./email-address.ts";
import { createIdempotencyMemory } from "./idempotency.ts";
import type { Answer, Call, Receiver, Reply } from "./receiver.ts";

const MAX_KEY = 256;
const TAG = /^[A-Za-z0-9_-]{1,256}$/;

/** Resend's error names for the statuses that the retry logic must distinguish. */
const NAMES: Readonly<Record<number, string>> = {
  401: "missing_api_key",
  403: "invalid_api_key",
  404: "not_found",
  429: "rate_limit_exceeded",
  500: "application_error",
};

export function createResendEndpoint(): Receiver {
  const memory = createIdempotencyMemory();
  return {
    kind: "email",
    via: "resend",
    receive(call) {
      const key = call.headers.get("idempotency-key");
      const refusal = refuseCall(call, key) ?? refuseEmail(objectOf(call.body));
      if (refusal !== null) return refusal;
      if (key !== null) {
        const before = memory.recall(key, call.rawBody, call.nowMs);
        if (before.kind === "again") return { status: 200, body: { id: before.id }, problems: [], isNew: false };
        if (before.kind === "other") {
          return refused(409, "invalid_idempotent_request", "This idempotency key was used with another payload.");
        }
        memory.remember(key, call);
      }
      return { status: 200, body: { id: call.id }, problems: [] };
    },
    fail: ({ status }) =>
      failed(status, NAMES[status] ?? (status < 500 ? "validation_error" : "internal_server_error")),
    summarize: (body) => textOf(objectOf(body)["subject"]),
    forget: () => memory.forget(),
  };
}

function refuseCall({ headers, body }: Call, key: string | null): Reply | null {
  if (!/^Bearer \S/i.test(headers.get("authorization") ?? "")) {
    return refused(401, "missing_api_key", "Missing API key in the authorization header.");
  }
  if (!isObject(body)) return refused(400, "validation_error", "The body must be a JSON object.");
  if (key !== null && (key === "" || key.length > MAX_KEY)) {
    return refused(400, "invalid_idempotency_key", `The key must be between 1-${MAX_KEY} chars.`);
  }
  return null;
}

function refuseEmail(email: JsonObject): Reply | null {
  const missing = ["from", "to", "subject"].find((field) => addressTexts(email[field]).length === 0);
  if (missing !== undefined) return refused(422, "missing_required_field", `Missing \`${missing}\` field.`);
  if (textOf(email["html"]) === "" && textOf(email["text"]) === "") {
    return refused(422, "missing_required_field", "Missing `html` or `text` field.");
  }
  if (!isAddress(addressText(email["from"]))) return refused(422, "invalid_from_address", "Invalid `from` field.");
  const to = addressTexts(email["to"]);
  if (!to.every(isAddress)) return refused(422, "validation_error", "Invalid `to` field.");
  if (to.length > MAX_RECIPIENTS) {
    return refused(422, "validation_error", `The \`to\` field has more than ${MAX_RECIPIENTS} addresses.`);
  }
  const tags = listOf(email["tags"]).map(objectOf);
  if (tags.some(({ name, value }) => !TAG.test(textOf(name)) || !TAG.test(textOf(value)))) {
    return refused(422, "validation_error", "Tags may hold ASCII letters, numbers, underscores and dashes only.");
  }
  return null;
}

function failed(statusCode: number, name: string, message = "Simulated failure."): Answer {
  return { status: statusCode, body: { statusCode, name, message } };
}

function refused(statusCode: number, name: string, message: string): Reply {
  return { ...failed(statusCode, name, message), problems: [`${name}: ${message}`] };
}
