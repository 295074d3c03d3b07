// Parses the body of LiteLLM's generic_api callback into calls, one by one while it streams in. A bad event is noted
// and never keeps a good one from being counted.

import * as z from "zod";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import type { CallReport } from "../../flows/spend/accept-reports.ts";
import { keyHashFrom, sha256Hex } from "../../wire/key-hash.ts";
import type { FieldError } from "../problem.ts";
import { fieldErrors, IN_OUR_WORDS } from "../request/field-errors.ts";
import { instantOrNull, reportedCost, reportedIdentifier } from "./litellm-fields.ts";
import { type JsonElement, ShallowJsonReader } from "./shallow-json.ts";

type Body = ReadableStream<Uint8Array> | null;

const END = { done: true, value: undefined } as const;

/** LiteLLM's batch of 512 calls with their prompts. */
const MAX_BYTES = 32 * 1024 * 1024;

const MAX_NAMED = 20;

/** More than a batch of LiteLLM has: the body is something else, so reading stops. */
const MAX_WRONG = 1_000;

/** A million US dollars: no call costs it, and a hundred thousand of them still fit a column. */
const MAX_COST = 1_000_000_000_000_000n;

const text = z.string().nullish().catch(null);

const event = z.object({
  id: text,
  litellm_call_id: text,
  status: text,
  response_cost: reportedCost.nullish(),
  startTime: z.unknown().optional(),
  endTime: z.unknown().optional(),
  metadata: z.object({ user_api_key_hash: z.unknown().optional(), user_api_key_team_id: reportedIdentifier }).nullish(),
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
export async function* reportsFrom(body: Body, parseErrors: ParseErrors): AsyncGenerator<CallReport> {
  let index = 0;
  for await (const element of elementsFrom(body, parseErrors)) {
    const parsed = eventFrom(element, index, parseErrors);
    const report = parsed === null ? null : await reportFrom(parsed);
    if (report !== null) yield report;
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

type Event = z.output<typeof event>;

function eventFrom(element: JsonElement, index: number, parseErrors: ParseErrors): Event | null {
  if (element.kind !== "value") {
    if (element.kind === "not_json") parseErrors.isMalformed = true;
    parseErrors.note([{ field: String(index), message: element.kind === "not_json" ? "is not JSON" : "is too large" }]);
    return null;
  }
  const parsed = event.safeParse(element.value, IN_OUR_WORDS);
  if (!parsed.success) {
    parseErrors.note(
      fieldErrors(parsed.error, event, element.value).map(({ field, message }) => ({
        field: field === "" ? String(index) : `${index}.${field}`,
        message,
      })),
    );
    return null;
  }
  return parsed.data;
}

/**
 * A successful call with its cost counts. A failed call is a hint, for LiteLLM may have refused it for its budget; so
 * is a call without a usable cost or end. Null for a call without a key.
 */
async function reportFrom(reported: Event): Promise<CallReport | null> {
  const { status, response_cost: cost, metadata } = reported;
  // Of a call that LiteLLM refused before it knew the caller, this is the raw key.
  const key_hash = await keyHashFrom(metadata?.user_api_key_hash);
  if (metadata == null || key_hash === null) return null;
  const caller = { key_hash, team_id: metadata.user_api_key_team_id };
  const endedAt = instantOrNull(reported.endTime);
  if (status !== "success" || cost == null || cost < 0n || cost > MAX_COST || endedAt === null)
    return { kind: "hint", caller };
  const call = {
    id: await identityOf(reported, caller.key_hash),
    ...caller,
    started_at: instantOrNull(reported.startTime),
    ended_at: endedAt,
    cost: decimalFromNanoUsd(cost),
  };
  return { kind: "call", call };
}

/**
 * 128 bits in hex, the same for each copy of a call's event. Never of the call id alone: clients set it by a header.
 * Versions before 1.110 have only the event's id.
 */
async function identityOf({ id, litellm_call_id, startTime, endTime }: Event, keyHash: string): Promise<string> {
  const text = JSON.stringify([keyHash, litellm_call_id ?? id, startTime, endTime]);
  return (await sha256Hex(text)).slice(0, 32);
}
