// Replaces Cloudflare's send_email binding, with the same checks and error codes. Sends nothing to the network.
// Where the binding throws, this answers: 400 for a permanent error code, 500 for a retryable one.

import type { StatusFailure } from "../failures.ts";
import { isObject, type JsonObject, objectOf, textOf } from "../untrusted-json.ts";
import { addressText, addressTexts, isAddress, MAX_RECIPIENTS } from "./email-address.ts";
import type { Answer, Receiver, Reply } from "./receiver.ts";

const RETRYABLE = new Set([
  "E_RATE_LIMIT_EXCEEDED",
  "E_DAILY_LIMIT_EXCEEDED",
  "E_DELIVERY_FAILED",
  "E_INTERNAL_SERVER_ERROR",
]);

/** Headers that the platform sets itself and refuses from a sender. */
const PLATFORM_HEADERS =
  /^(?:date|message-id|mime-version|content-type|content-transfer-encoding|dkim-signature|return-path|received|feedback-id|arc-.*|tls-.*|cfbl-.*)$/i;

export const sendEmailEndpoint: Receiver = {
  kind: "email",
  via: "send_email",
  receive({ id, body }) {
    if (!isObject(body)) return refused("E_VALIDATION_ERROR", "The message is not an object.");
    return refuseEmail(body) ?? { status: 200, body: { messageId: id }, problems: [] };
  },
  fail: (failure) => thrown(codeFor(failure), "Simulated failure."),
  summarize: (body) => textOf(objectOf(body)["subject"]),
};

function codeFor({ status, code }: StatusFailure): string {
  if (code !== undefined) return code;
  if (status === 429) return "E_RATE_LIMIT_EXCEEDED";
  return status >= 500 ? "E_INTERNAL_SERVER_ERROR" : "E_VALIDATION_ERROR";
}

function refuseEmail(email: JsonObject): Reply | null {
  const missing = ["from", "to", "subject"].find((field) => addressTexts(email[field]).length === 0);
  if (missing !== undefined) return refused("E_FIELD_MISSING", `${missing} is missing.`);
  if (textOf(email["html"]) === "" && textOf(email["text"]) === "") {
    return refused("E_FIELD_MISSING", "html and text are both missing.");
  }
  const to = addressTexts(email["to"]);
  if (![addressText(email["from"]), ...to].every(isAddress)) {
    return refused("E_VALIDATION_ERROR", "from or to is not an address.");
  }
  if (to.length > MAX_RECIPIENTS) return refused("E_TOO_MANY_RECIPIENTS", `More than ${MAX_RECIPIENTS} recipients.`);
  const header = Object.keys(objectOf(email["headers"])).find((name) => PLATFORM_HEADERS.test(name));
  return header === undefined ? null : refused("E_HEADER_NOT_ALLOWED", `The platform sets ${header} itself.`);
}

function thrown(code: string, message: string): Answer {
  return { status: RETRYABLE.has(code) ? 500 : 400, body: { code, message } };
}

function refused(code: string, message: string): Reply {
  return { ...thrown(code, message), problems: [`${code}: ${message}`] };
}
