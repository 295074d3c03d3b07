// One POST to a notice provider or a receiver, and the outcome of its answer. Follows no redirect, reads at most 2 kB
// of an answer, never logs, and never names the target.

import type { SendOutcome } from "../../records/delivery.ts";
import { targetProblem } from "../../wire/target-url.ts";

/** Providers usually answer within a second; Slack and mail providers can take several under load. */
export const PROVIDER_TIMEOUT_MS = 10_000;

/** Enough for the name of an error. */
const MAX_ANSWER_BYTES = 2_048;

/** Up to 115 days; a longer `Retry-After` is malformed. */
const SECONDS = /^\d{1,7}$/;

/** The format of an HTTP date. Date.parse alone accepts nearly any text. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** A provider's error name, such as `invalid_token`, `validation_error` or `E_SENDER_NOT_VERIFIED`. */
const ERROR_NAME = /^[A-Za-z]+(?:_[A-Za-z]+)*$/;
const MAX_ERROR_NAME = 48;

export interface ProviderPost {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  readonly allowsLocal: boolean;
  readonly timeoutMs: number;
}

/** `text` is the beginning of an error's body, empty for a success. */
export interface ProviderAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfterSeconds: number | null;
}

export type Posted =
  | { readonly kind: "answered"; readonly answer: ProviderAnswer }
  | { readonly kind: "ended"; readonly outcome: SendOutcome };

/** Sends once. `ended`: the target is not allowed, or did not answer. */
export async function postToProvider(post: ProviderPost): Promise<Posted> {
  const problem = targetProblem(post.url, post);
  if (problem !== null) return { kind: "ended", outcome: { kind: "rejected", why: `the target ${problem}` } };
  try {
    const response = await fetch(post.url, {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": "Bursar", ...post.headers },
      body: post.body,
      redirect: "manual",
      signal: AbortSignal.timeout(post.timeoutMs),
    });
    const { status, headers } = response;
    const retryAfterSeconds = retryAfter(headers.get("retry-after"), headers.get("date"));
    return { kind: "answered", answer: { status, text: await beginningOf(response), retryAfterSeconds } };
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return { kind: "ended", outcome: { kind: "unanswered", why: isLate ? "no answer in time" : "network" } };
  }
}

/** The outcome by status. `errorName` finds the provider's error name in the body. */
export function outcomeOf(answer: ProviderAnswer, errorName: (text: string) => string | null): SendOutcome {
  const { status, text, retryAfterSeconds } = answer;
  if (status >= 200 && status < 300) return { kind: "sent" };
  const name = plainName(errorName(text));
  const why = name === null ? `status ${status}` : `status ${status}, ${name}`;
  const isLimited = status === 429 || (status === 503 && retryAfterSeconds !== null);
  if (isLimited) return { kind: "rate_limited", why, retryAfterSeconds };
  if (status >= 500 || status === 408) return failed(why, retryAfterSeconds);
  return { kind: "rejected", why: status < 400 ? `${why}: redirects are not followed` : why };
}

export function failed(why: string, retryAfterSeconds: number | null = null): SendOutcome {
  return { kind: "failed", why, retryAfterSeconds };
}

/** Accepts only a plain name, so that an error cannot leak an address or a secret. */
export function plainName(text: string | null): string | null {
  return text !== null && text.length <= MAX_ERROR_NAME && ERROR_NAME.test(text) ? text : null;
}

/** A string field of a JSON object; null when absent. */
export function jsonField(text: string, field: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    const found: unknown = typeof value === "object" && value !== null ? Reflect.get(value, field) : null;
    return typeof found === "string" ? found : null;
  } catch {
    return null;
  }
}

/** Seconds, or an HTTP date relative to the answer's `Date`; null when absent or malformed. */
function retryAfter(header: string | null, date: string | null): number | null {
  const text = header?.trim() ?? "";
  if (SECONDS.test(text)) return Number(text);
  const milliseconds = HTTP_DATE.test(text) ? Date.parse(text) - Date.parse(date ?? "") : Number.NaN;
  return Number.isNaN(milliseconds) ? null : Math.max(0, Math.ceil(milliseconds / 1_000));
}

/** The first `maxBytes` of an error's body; empty for a success. */
export async function beginningOf(response: Response, maxBytes = MAX_ANSWER_BYTES): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let bytes = 0; bytes < maxBytes && !response.ok; ) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
      text += decoder.decode(value, { stream: true });
    }
    return text.slice(0, maxBytes);
  } catch {
    // The status is enough when the body breaks off.
    return "";
  } finally {
    // Frees the connection, which would wait for the rest of the body.
    reader.cancel().catch(() => {});
  }
}
