// Forwards a model call to LiteLLM. Buffers neither body, follows no redirect, never retries, never logs.

import { type NanoUsd, nanoUsdRoundedDown } from "../../budget/money.ts";
import type { ModelAnswer, ModelCalls } from "../../ports/ports.ts";
import { beginningOf } from "../notifiers/provider-post.ts";

/** A refusal names keys and teams, whose names may be long. A provider's longer error is no refusal. */
const MAX_ERROR_BYTES = 64 * 1_024;

/** What Cloudflare answers for a server that it cannot reach. */
const CLOUDFLARES = [520, 521, 522, 523, 524, 525, 526, 530];

/** Of these: the server is down or unreachable, its certificate is wrong, or its name has no address. */
const NEVER_ARRIVED = [521, 523, 525, 526, 530];

/** No time-out: a model may take minutes to its first byte, and the agent can disconnect. */
export function liteLlmCalls(url: string): ModelCalls {
  return {
    async forward({ method, path, headers, body, signal }) {
      try {
        const response = await fetch(url + path, { method, headers, body, signal, redirect: "manual" });
        const error = await errorIn(response);
        if (isLiteLlms(response.status, error)) return answerFrom(response, error);
        await response.body?.cancel();
        const mayHaveArrived = !NEVER_ARRIVED.includes(response.status) && !isRedirect(response.status);
        return { kind: "unreachable", why: `status ${response.status}`, mayHaveArrived };
      } catch {
        // A refused connection looks the same as one that broke after LiteLLM had called the model.
        return { kind: "unreachable", why: signal.aborted ? "abandoned" : "network", mayHaveArrived: true };
      }
    },
  };
}

/** Model routes never redirect, and following a redirect would take the agent's key past Gate. */
const isRedirect = (status: number) => status >= 300 && status < 400;

/**
 * False for a redirect, and for Cloudflare's answer in place of a server that it cannot reach. LiteLLM passes on the
 * status of a provider, so an error in a model API's envelope is its own; Cloudflare's JSON has no such envelope.
 */
function isLiteLlms(status: number, error: LiteLlmError | null): boolean {
  return !isRedirect(status) && (error !== null || !CLOUDFLARES.includes(status));
}

function answerFrom(response: Response, error: LiteLlmError | null): ModelAnswer {
  const { status, headers, body } = response;
  const isStream = hasType(response, "text/event-stream");
  return {
    kind: "answered",
    status,
    headers,
    costNanoUsd: isStream ? null : costIn(headers.get("x-litellm-response-cost")),
    isBudgetRefusal: error?.type === "budget_exceeded" || error?.litellm_error_type === "budget_exceeded",
    ...(isStream && body !== null ? watched(body) : { body: response.body, ended: null }),
  };
}

/** The same stream, with a promise of its end. When the agent stops reading, the stream from LiteLLM is cancelled. */
function watched(body: ReadableStream) {
  const { readable, writable } = new TransformStream();
  const ended = body.pipeTo(writable).catch(() => {});
  return { body: readable, ended };
}

/**
 * Statuses and texts differ between versions and settings, so only the error type counts. Anthropic's envelope has it
 * as `litellm_error_type`.
 */
interface LiteLlmError {
  readonly type?: unknown;
  readonly litellm_error_type?: unknown;
}

/** Null when the response is no error in OpenAI's or Anthropic's envelope. Reads a clone, to leave it intact. */
async function errorIn(response: Response): Promise<LiteLlmError | null> {
  if (response.ok || !hasType(response, "application/json")) return null;
  try {
    const { error } = JSON.parse(await beginningOf(response.clone(), MAX_ERROR_BYTES)) as { error?: unknown };
    return typeof error === "object" ? error : null;
  } catch {
    return null;
  }
}

/** LiteLLM writes Python's floats, such as `3e-05`. Null for anything but an amount: negative costs exist. */
function costIn(header: string | null): NanoUsd | null {
  const amount = header === null || header.trim() === "" ? null : nanoUsdRoundedDown(Number(header));
  return amount !== null && amount < 0n ? null : amount;
}

function hasType({ headers }: Response, type: string): boolean {
  return headers.get("content-type")?.toLowerCase().startsWith(type) ?? false;
}
