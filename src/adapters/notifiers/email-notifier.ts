// Sends notices as e-mail, by Resend or Cloudflare's `EMAIL` binding. Never logs an address, a key or a message.

import type { EmailMessage } from "../../notices/notice.ts";
import type { EmailProvider, Policy } from "../../ports/policy.ts";
import type { Notifier } from "../../ports/ports.ts";
import type { SendOutcome } from "../../records/delivery.ts";
import { targetProblem } from "../../wire/target-url.ts";
import {
  failed,
  jsonField,
  outcomeOf,
  type Posted,
  PROVIDER_TIMEOUT_MS,
  plainName,
  postToProvider,
} from "./provider-post.ts";

/** Resend is still processing an earlier attempt at the same notice; a later retry learns its outcome. */
const STILL_SENDING = "concurrent_idempotent_requests";

/** The binding's error codes that a retry can resolve, and those that only time can. */
const RETRYABLE_CODES = ["E_INTERNAL_SERVER_ERROR", "E_DELIVERY_FAILED"];
const LIMIT_CODES = ["E_RATE_LIMIT_EXCEEDED", "E_DAILY_LIMIT_EXCEEDED"];

interface Envelope extends EmailMessage {
  readonly from: string;
  readonly to: string[];
}

/** The part of the `EMAIL` binding that is used. It throws errors with a `code`. */
export interface EmailBinding {
  send(message: Envelope): Promise<unknown>;
}

type Send = (envelope: Envelope, idempotencyKey: string) => Promise<SendOutcome>;

/** Sends by Resend if it has an API key, else by the binding or its stand-in, else answers `not_configured`. */
export function emailNotifier(
  provider: EmailProvider,
  binding: EmailBinding | undefined,
  policy: Pick<Policy, "allowsLocalTargets">,
  timeoutMs = PROVIDER_TIMEOUT_MS,
): Notifier["email"] {
  const { from } = provider;
  const send = senderOf(provider, binding, { allowsLocal: policy.allowsLocalTargets, timeoutMs });
  return async (to, { subject, html, text }, idempotencyKey) => {
    if (from === null) return notConfigured("EMAIL_FROM is not set");
    return send({ from, to: [...to], subject, html, text }, idempotencyKey);
  };
}

interface Sending {
  readonly allowsLocal: boolean;
  readonly timeoutMs: number;
}

function senderOf(
  { resend, bindingEndpoint }: EmailProvider,
  binding: EmailBinding | undefined,
  sending: Sending,
): Send {
  const endpoint = resend?.url ?? bindingEndpoint;
  const problem = endpoint === null ? null : targetProblem(endpoint, sending);
  if (problem !== null) return async () => notConfigured(`the e-mail provider's address ${problem}`);
  if (resend !== null) return (envelope, key) => sendByResend(resend, envelope, key, sending);
  if (bindingEndpoint !== null) return (envelope) => sendByStandIn(bindingEndpoint, envelope, sending);
  if (binding !== undefined) return (envelope) => sendByBinding(binding, envelope, sending.timeoutMs);
  return async () => notConfigured("neither RESEND_API_KEY nor the EMAIL binding is set");
}

async function sendByResend(
  { url, apiKey }: { url: string; apiKey: string },
  envelope: Envelope,
  idempotencyKey: string,
  sending: Sending,
): Promise<SendOutcome> {
  const headers = { authorization: `Bearer ${apiKey}`, "idempotency-key": idempotencyKey };
  const posted = await postToProvider({ url: `${url}/emails`, headers, body: JSON.stringify(envelope), ...sending });
  const name = errorField(posted, "name");
  if (posted.kind === "ended") return posted.outcome;
  if (name === STILL_SENDING) return failed(STILL_SENDING, posted.answer.retryAfterSeconds);
  return outcomeOf(posted.answer, () => name);
}

/** Calls the stand-in for the binding, over HTTP. */
async function sendByStandIn(url: string, envelope: Envelope, sending: Sending): Promise<SendOutcome> {
  const posted = await postToProvider({ url: `${url}/send-email`, body: JSON.stringify(envelope), ...sending });
  const code = plainName(errorField(posted, "code"));
  if (posted.kind === "ended") return posted.outcome;
  return code === null ? outcomeOf(posted.answer, () => null) : outcomeOfCode(code, posted.answer.retryAfterSeconds);
}

/** The binding takes no abort signal and no idempotency key, so after a time-out the e-mail may arrive twice. */
async function sendByBinding(binding: EmailBinding, envelope: Envelope, timeoutMs: number): Promise<SendOutcome> {
  const { promise: late, resolve } = Promise.withResolvers<SendOutcome>();
  const timer = setTimeout(() => resolve({ kind: "unanswered", why: "no answer in time" }), timeoutMs);
  try {
    return await Promise.race([sendOnce(binding, envelope), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function sendOnce(binding: EmailBinding, envelope: Envelope): Promise<SendOutcome> {
  try {
    await binding.send(envelope);
    return { kind: "sent" };
  } catch (error) {
    return outcomeOfError(error);
  }
}

function outcomeOfError(error: unknown): SendOutcome {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : null;
  const name = plainName(typeof code === "string" ? code : null);
  return name === null ? failed("the EMAIL binding failed") : outcomeOfCode(name, null);
}

function outcomeOfCode(code: string, retryAfterSeconds: number | null): SendOutcome {
  if (LIMIT_CODES.includes(code)) return { kind: "rate_limited", why: code, retryAfterSeconds };
  return RETRYABLE_CODES.includes(code) ? failed(code, retryAfterSeconds) : { kind: "rejected", why: code };
}

function errorField(posted: Posted, field: string): string | null {
  return posted.kind === "answered" ? jsonField(posted.answer.text, field) : null;
}

function notConfigured(why: string): SendOutcome {
  return { kind: "not_configured", why };
}
