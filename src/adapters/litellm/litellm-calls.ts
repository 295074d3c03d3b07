// A model call on its way to LiteLLM and back. Holds neither body, follows no redirect, never calls twice, never logs.

import { type NanoUsd, nanoUsdFromDecimal } from "../../budget/money.ts";
import type { ModelAnswer, ModelCalls } from "../../ports/ports.ts";
import { beginningOf } from "../notifiers/provider-post.ts";

/** There is no time-out: a model may think for minutes before its first byte, and who waits can leave. */
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
 * A redirect would lead past Gate with the agent's key, and no route of a model has one. From 520 to 530 it is Cloudflare
 * that speaks, of a server that it cannot reach.
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
    keySpendNanoUsd: spendIn(headers.get("x-litellm-key-spend")),
    budgetRefusal: await budgetRefusalOf(response),
    ...(isStream && body !== null ? watched(body) : { body: response.body, ended: null }),
  };
}

/** The same bytes, and a promise of their end. Whoever stops reading stops LiteLLM. */
function watched(body: ReadableStream) {
  const { readable, writable } = new TransformStream();
  const ended = body.pipeTo(writable).catch(() => {});
  return { body: readable, ended };
}

/** 400 of older versions, 429 of newer ones: only the type counts. Looks at a copy, so that other errors go on untouched. */
async function budgetRefusalOf(response: Response): Promise<string | null> {
  if (response.ok || !hasType(response, "application/json")) return null;
  try {
    const { error } = JSON.parse(await beginningOf(response.clone())) as {
      error?: { type?: unknown; message?: unknown };
    };
    return error?.type === "budget_exceeded" ? String(error.message) : null;
  } catch {
    return null;
  }
}

/** Negative spend counts as zero, as everywhere. */
function spendIn(header: string | null): NanoUsd | null {
  const amount = nanoUsdFromDecimal(header ?? "");
  return amount !== null && amount < 0n ? 0n : amount;
}

function hasType({ headers }: Response, type: string): boolean {
  return headers.get("content-type")?.toLowerCase().startsWith(type) ?? false;
}
