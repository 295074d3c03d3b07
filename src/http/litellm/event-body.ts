// Parses the body of LiteLLM's generic_api callback into calls, one by one while it streams in. LiteLLM sends a batch
// once, so a bad event is noted and never keeps a good one from being counted.

import * as z from "zod";
import type { Call } from "../../flows/spend/accept-calls.ts";
import { fieldErrors } from "../fields.ts";
import type { FieldError } from "../problem.ts";
import { instantFrom, reportedIdentifier, reportedKeyHash, reportedMoney, startTime } from "./litellm-fields.ts";
import { type JsonElement, ShallowJsonReader } from "./shallow-json.ts";

type Body = ReadableStream<Uint8Array> | null;

const END = { done: true, value: undefined } as const;

/** LiteLLM's batch of 512 calls with their prompts. */
const MAX_BYTES = 32 * 1024 * 1024;

const MAX_NAMED = 20;

/** More than a batch of LiteLLM has: the body is something else, so reading stops. */
const MAX_WRONG = 1_000;

const event = z.object({
  status: z.string().nullish().catch(null),
  response_cost: reportedMoney.nullish(),
  startTime: startTime.optional(),
  metadata: z
    .object({
      user_api_key_hash: reportedKeyHash,
      user_api_key_team_id: reportedIdentifier,
      user_api_key_spend: reportedMoney.nullish(),
      user_api_key_budget_reset_at: z.string().nullish().catch(null),
    })
    .nullish(),
});

/** The errors of a body, as far as it has been read. */
export class ParseErrors {
  /** Errors of the first twenty invalid events, by index and field. */
  readonly named: FieldError[] = [];
  wrong = 0;
  isTooLarge = false;
  /** Whether a part of the body is not JSON. */
  isMalformed = false;
  /** Why the body as a whole is malformed. */
  failure: string | null = null;

  note(errors: readonly FieldError[]): void {
    if (this.wrong < MAX_NAMED) this.named.push(...errors);
    this.wrong++;
  }

  fail(why: string): void {
    this.isMalformed = true;
    this.failure ??= why;
  }
}

/** The calls that have a key, in order. Never throws because of the body: errors go into `parseErrors`. */
export async function* callsFrom(body: Body, parseErrors: ParseErrors): AsyncGenerator<Call> {
  let index = 0;
  for await (const element of elementsFrom(body, parseErrors)) {
    const call = callFrom(element, index, parseErrors);
    if (call !== null) yield call;
    index++;
    if (parseErrors.wrong === MAX_WRONG) return parseErrors.fail(`event ${index} and those after it were not read`);
  }
}

async function* elementsFrom(body: Body, parseErrors: ParseErrors): AsyncGenerator<JsonElement> {
  const json = new ShallowJsonReader();
  for await (const chunk of chunksFrom(body, parseErrors)) {
    yield* json.write(chunk);
    if (json.hasFailed) break;
  }
  if (parseErrors.isTooLarge) return;
  const { elements, failure } = json.end();
  yield* elements;
  if (failure !== null) parseErrors.fail(failure);
}

/** Reads up to the limit, whatever the headers say. A broken upload counts as far as it came. */
async function* chunksFrom(body: Body, parseErrors: ParseErrors): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  let size = 0;
  try {
    for (;;) {
      const { done, value } = (await reader?.read().catch(() => parseErrors.fail("the sender went away"))) ?? END;
      if (done || value === undefined) return;
      size += value.length;
      parseErrors.isTooLarge = size > MAX_BYTES;
      if (parseErrors.isTooLarge) return;
      yield value;
    }
  } finally {
    await reader?.cancel().catch(() => {});
  }
}

function callFrom(element: JsonElement, index: number, parseErrors: ParseErrors): Call | null {
  if (element.kind !== "value") {
    if (element.kind === "not_json") parseErrors.isMalformed = true;
    parseErrors.note([{ field: String(index), message: element.kind === "not_json" ? "is not JSON" : "is too large" }]);
    return null;
  }
  const parsed = event.safeParse(element.value);
  if (!parsed.success) {
    parseErrors.note(
      fieldErrors(parsed.error).map(({ field, message }) => ({
        field: field === "" ? String(index) : `${index}.${field}`,
        message,
      })),
    );
    return null;
  }
  const { status, response_cost: cost, startTime: begunAt, metadata } = parsed.data;
  if (metadata == null || metadata.user_api_key_hash === null) return null;
  const { user_api_key_spend: spendBefore, user_api_key_budget_reset_at: resetsAt } = metadata;
  return {
    keyHash: metadata.user_api_key_hash,
    teamId: metadata.user_api_key_team_id,
    isSuccess: status === "success",
    spendBeforeNanoUsd: spendBefore ?? null,
    costNanoUsd: cost ?? null,
    begunAt: begunAt ?? null,
    // Null says nothing: keys whose budget is a shared object have it too, whatever the end of their period.
    resetsAt: (resetsAt == null ? null : instantFrom(resetsAt)) ?? undefined,
  };
}
