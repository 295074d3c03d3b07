// Reads the request of LiteLLM's guardrail while it streams in: the key and the team of the call, nothing else. The
// body holds whole prompts, which are neither stored nor logged.

import * as z from "zod";
import type { KeyHash } from "../../budget/tenant.ts";
import { keyHashFrom } from "../../wire/key-hash.ts";
import { identifier } from "./litellm-fields.ts";
import { type JsonElement, ShallowJsonReader } from "./shallow-json.ts";

export interface GuardRequest {
  /** Null when LiteLLM sends none: its caller has no virtual key. */
  readonly keyHash: KeyHash | null;
  /** Null for a key outside all teams; undefined when LiteLLM does not say. */
  readonly teamId: string | null | undefined;
  /** LiteLLM asks about a model's answer, after the call. */
  readonly isAnswer: boolean;
}

const guardRequest = z.object({
  input_type: z.unknown().optional(),
  request_data: z
    .object({ user_api_key_hash: z.string().nullish(), user_api_key_team_id: identifier.optional() })
    .nullish(),
});

/**
 * Reads every body to its end, because LiteLLM's client takes an answer during its upload for a broken connection.
 * There is no size limit, because nothing is held. Null when the body is not one JSON object, is truncated, or has
 * invalid ids.
 */
export async function guardRequestFrom(body: ReadableStream<Uint8Array> | null): Promise<GuardRequest | null> {
  const json = new ShallowJsonReader();
  const reader = body?.getReader();
  const found: JsonElement[] = [];
  const keep = (elements: readonly JsonElement[]) => found.push(...elements.slice(0, 2 - found.length));
  for (;;) {
    // A broken upload reads as truncated.
    const read = await reader?.read().catch(() => null);
    if (read == null) return null;
    if (read.done) break;
    keep(json.write(read.value));
  }
  const { elements, failure } = json.end();
  keep(elements);
  const [only, another] = found;
  if (failure !== null || json.isArray || only?.kind !== "value" || another !== undefined) return null;
  const { data } = guardRequest.safeParse(only.value);
  if (data === undefined) return null;
  const { user_api_key_hash: named, user_api_key_team_id: teamId } = data.request_data ?? {};
  return { keyHash: await keyHashFrom(named), teamId, isAnswer: data.input_type === "response" };
}
