// Reads the request of LiteLLM's guardrail while it streams in: the key and the team of the call, nothing else. The body
// holds whole prompts, which are neither stored nor logged.

import * as z from "zod";
import { identifier, keyHash } from "./litellm-fields.ts";
import { type JsonElement, ShallowJsonReader } from "./shallow-json.ts";

/** Null where LiteLLM says nothing: a caller without a virtual key has no hash, a key in no team no team. */
export interface Question {
  readonly keyHash: string | null;
  readonly teamId: string | null;
}

const question = z.object({
  request_data: z.object({ user_api_key_hash: keyHash, user_api_key_team_id: identifier }).nullish(),
});

/**
 * Reads to the end whatever comes: LiteLLM's client takes an answer during its upload for a broken connection. There is
 * no limit, as nothing is held. Null for what is no question: no JSON object, broken off, or identifiers that are none.
 */
export async function questionFrom(body: ReadableStream<Uint8Array> | null): Promise<Question | null> {
  const json = new ShallowJsonReader();
  const reader = body?.getReader();
  const found: JsonElement[] = [];
  const keep = (elements: readonly JsonElement[]) => found.push(...elements.slice(0, 2 - found.length));
  for (;;) {
    // A broken upload is no request.
    const read = await reader?.read().catch(() => null);
    if (read == null) return null;
    if (read.done) break;
    keep(json.write(read.value));
  }
  const { elements, failure } = json.end();
  keep(elements);
  const [only, another] = found;
  if (failure !== null || json.isArray || only?.kind !== "value" || another !== undefined) return null;
  const { data } = question.safeParse(only.value);
  if (data === undefined) return null;
  const { user_api_key_hash: hash = null, user_api_key_team_id: teamId = null } = data.request_data ?? {};
  return { keyHash: hash, teamId };
}
