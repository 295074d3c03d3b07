// Forwards a model call to LiteLLM. Buffers neither body, follows no redirect, never retries, never logs.

import { type NanoUsd, nanoUsdRoundedDown } from "../../budget/money.ts";
import type { ModelAnswer, ModelCalls } from "../../ports/ports.ts";
import { beginningOf } from "../notifiers/provider-post.ts";

/** A refusal names keys and teams, whose names may be long. A provider's longer error is no refusal. */
const MAX_ERROR_BYTES = 64 * 1_024;

/** No time-out: a model may take minutes to its first byte, and the agent can disconnect. */
export function liteLlmCalls(url: string): ModelCalls {
  return {
    async forward({ method, path, headers, body, signal }) {
      try {
        const response = await fetch(url + path, { method, headers, body, signal, redirect: "manual" });
        if (isLiteLlms(response.status)) return await answerFrom(response);
        await response.body?.cancel();
        return { kind: "unreachable", why: `status ${response.status}` };
      } catch {
        return { kind: "unreachable", why: signal.aborted ? "abandoned" : "network" };
      }
    },
  };
}

/**
 * Model routes never redirect, and following a redirect would take the agent's key past Gate. Statuses 520 to 530 are
 * Cloudflare's, for a server that it cannot reach.
 */
function isLiteLlms(status: number): boolean {
  return !((status >= 300 && status < 400) || (status >= 520 && status <= 530));
}

async function answerFrom(response: Response): Promise<ModelAnswer> {
  const { status, headers, body } = response;
  const isStream = hasType(response, "text/event-stream");
  return {
    kind: "answered",
    status,
    headers,
    costNanoUsd: isStream ? null : costIn(headers.get("x-litellm-response-cost")),
    isBudgetRefusal: await isBudgetRefusal(response),
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
 * as `litellm_error_type`. Reads a clone, to leave the response intact.
 */
async function isBudgetRefusal(response: Response): Promise<boolean> {
  if (response.ok || !hasType(response, "application/json")) return false;
  try {
    const { error } = JSON.parse(await beginningOf(response.clone(), MAX_ERROR_BYTES)) as {
      error?: { type?: unknown; litellm_error_type?: unknown };
    };
    return error?.type === "budget_exceeded" || error?.litellm_error_type === "budget_exceeded";
  } catch {
    return false;
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
