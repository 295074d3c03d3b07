// Random bodies and headers to LiteLLM's endpoints: always a documented status, never a 500, never an unhandled
// rejection, and only queue messages that the consumer can parse.

import fc from "fast-check";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { spendMessageSchema } from "../../../src/ports/messages.ts";
import { NOW } from "../../budget/builders.ts";
import { countFrom } from "../../support/builders/count-from.ts";
import {
  BEARER,
  BY_TOKEN,
  bytes,
  CAPTURES,
  EndpointsWorld,
  EVENTS,
  hexSignature,
  SIGNED,
  standardHeaders,
  streamOf,
} from "./endpoints.ts";

/** The number of bodies for the three endpoints together; `npm run fuzz` sends a hundred thousand. */
const BODIES = countFrom("FUZZ_BODIES", 3_000);
const RUNS = Math.ceil(BODIES / 3);

/** A busy machine needs a millisecond per body. */
const TIMEOUT_MS = 60_000 + 10 * RUNS;

const KNOWN = new Set([200, 400, 401, 413, 415, 422]);
/** A world keeps every message, so it is replaced now and then. */
const WORLD_LIFE = 500;

const rejections: unknown[] = [];
const note = (reason: unknown) => void rejections.push(reason);
beforeAll(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  process.on("unhandledRejection", note);
});
afterAll(() => {
  vi.useRealTimers();
  process.off("unhandledRejection", note);
});

// Invalid values and edge cases of LiteLLM's fields.
const oddNumber = fc.oneof(
  fc.double(),
  fc.constantFrom(0, -0, -1, 1e-10, 1e15, 1e16, 1e300, -1e300, Number.MAX_SAFE_INTEGER, 8.64e12, 8.64e15, 5e-324),
);
const oddText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(
    "",
    "\0",
    "\ud800",
    "x".repeat(201),
    "x".repeat(5_000),
    "__proto__",
    "constructor",
    "2026-13-45",
    "1969-12-31",
    "A".repeat(64),
  ),
);
const deep = fc.integer({ min: 1, max: 3_000 }).map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`);
const oddValue = fc.oneof(oddNumber, oddText, fc.constantFrom(null, true, [], {}), fc.jsonValue({ maxDepth: 3 }));

type Json = Record<string, unknown>;
type Input<A> = A extends fc.Arbitrary<infer T> ? T : never;
const WEBHOOK_FIELDS = [
  "spend",
  "event",
  "event_group",
  "token",
  "team_id",
  "user_id",
  "projected_spend",
  "projected_exceeded_date",
];
const EVENT_FIELDS = ["status", "response_cost", "id", "litellm_call_id", "startTime", "endTime", "metadata"];
const METADATA_FIELDS = ["user_api_key_hash", "user_api_key_team_id"];

const changes = (fields: string[]) => fc.dictionary(fc.constantFrom(...fields, "__proto__"), oddValue, { maxKeys: 3 });

/** LiteLLM's own events without fields that no endpoint reads, which makes the test a hundred times faster. */
const smallEvent = (() => {
  const [real = {}] = CAPTURES.events;
  const { user_api_key_hash } = real["metadata"] as Json;
  const { status, response_cost, id, startTime, endTime } = real;
  return { status, response_cost, id, startTime, endTime, metadata: { user_api_key_hash } };
})();
const anyEvent = fc
  .tuple(changes(EVENT_FIELDS), changes(METADATA_FIELDS), fc.boolean())
  .map(([outer, inner, isOdd]) => ({
    ...smallEvent,
    metadata: { ...smallEvent.metadata, ...inner },
    ...(isOdd && outer),
  }));

const webhookText = fc.oneof(
  {
    weight: 5,
    arbitrary: changes(WEBHOOK_FIELDS).map((changed) => JSON.stringify({ ...CAPTURES.threshold, ...changed })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(JSON.stringify(CAPTURES.softBudget), "", "null", "[]", '{"spend":1,"spend":"x"}'),
  },
  { weight: 1, arbitrary: oddValue.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: deep },
);
const eventsText = fc.oneof(
  { weight: 4, arbitrary: fc.array(anyEvent, { maxLength: 4 }).map((events) => JSON.stringify(events)) },
  {
    weight: 2,
    arbitrary: fc.array(anyEvent, { maxLength: 4 }).map((all) => all.map((one) => JSON.stringify(one)).join("\n")),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      JSON.stringify(CAPTURES.events),
      "",
      "[",
      '[{"metadata":{"a":1,"a":2}}]',
      "NaN",
      "[1e400]",
    ),
  },
  { weight: 1, arbitrary: fc.array(oddValue, { maxLength: 4 }).map((values) => JSON.stringify(values)) },
  { weight: 1, arbitrary: deep },
);

/** How a body is damaged in transit. */
interface Damage {
  readonly cutAt: number;
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly kind: "none" | "cut" | "overwrite" | "insert";
}
const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom("none", "none", "cut", "overwrite", "insert"),
  cutAt: fc.nat(),
  at: fc.nat(),
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 4 }),
    fc.constantFrom(bytes('"'), bytes("\\"), bytes("NaN"), bytes("]"), bytes(",")),
  ),
});

function damaged(text: string, { kind, cutAt, at, bytes: strange }: Damage): Uint8Array<ArrayBuffer> {
  const body = bytes(text);
  const place = body.length === 0 ? 0 : at % body.length;
  const rest = body.subarray(kind === "overwrite" ? place + strange.length : place);
  if (kind === "none") return body;
  if (kind === "cut") return body.slice(0, cutAt % (body.length + 1));
  return new Uint8Array([...body.subarray(0, place), ...strange, ...rest]);
}

const HEADERS = [
  "webhook-id",
  "webhook-timestamp",
  "webhook-signature",
  "x-litellm-signature",
  "authorization",
  "content-length",
  "content-type",
  "content-encoding",
  "x-request-id",
  "idempotency-key",
];
const headerValue = fc.oneof(
  fc.stringMatching(/^[\x21-\x7e]{0,30}$/),
  fc.constantFrom(
    "v1,",
    "v1,AAAA",
    "sha256=",
    "Bearer ",
    "-1",
    "0",
    "1e3",
    "99999999999",
    String(NOW / 1_000),
    "v1,v1,v1 v2,x",
    "\xff",
  ),
);
const headers = fc.dictionary(fc.constantFrom(...HEADERS), headerValue, { maxKeys: 3 });

let world = new EndpointsWorld();
let sent = 0;

async function check(path: string, body: BodyInit, given: Record<string, string>): Promise<number> {
  if (sent++ % WORLD_LIFE === 0) world = new EndpointsWorld();
  const queued = world.messages.length;
  const { status, body: answer } = await world.post(path, body, given);
  if (!KNOWN.has(status)) throw new Error(`${status} ${JSON.stringify(answer)} ${world.log.lines.at(-1)}`);
  for (const message of world.messages.slice(queued)) spendMessageSchema.parse(message);
  if (status === 401 && world.messages.length > queued) throw new Error("queued without authority");
  return status;
}

async function fuzz<T>(arbitrary: fc.Arbitrary<T>, once: (input: T) => Promise<number>, statuses: number[]) {
  const seen = new Set<number>();
  const property = fc.asyncProperty(arbitrary, async (input) => void seen.add(await once(input)));
  await fc.assert(property, { numRuns: RUNS });
  await world.untilQuiet();
  expect(rejections).toEqual([]);
  // Otherwise the bodies were all alike and proved nothing.
  expect([...seen].sort()).toEqual(statuses);
}

it("the signed endpoint", { timeout: TIMEOUT_MS }, async () => {
  const input = fc.record({ text: webhookText, damage, headers, by: fc.constantFrom("standard", "hex", "nothing") });
  const once = async ({ text, damage: how, headers: odd, by }: Input<typeof input>) => {
    const body = damaged(text, how);
    const signature =
      by === "standard"
        ? await standardHeaders(text, { id: `msg_${sent}` })
        : { "x-litellm-signature": hexSignature(body) };
    return check(SIGNED, body, by === "nothing" ? odd : { ...odd, ...signature });
  };
  await fuzz(input, once, [200, 400, 401, 413, 415, 422]);
});

it("the endpoint by URL token", { timeout: TIMEOUT_MS }, async () => {
  const input = fc.record({
    text: webhookText,
    damage,
    headers,
    path: fc.constantFrom(BY_TOKEN, BY_TOKEN, `${SIGNED}/%ff`),
  });
  const once = ({ text, damage: how, headers: odd, path }: Input<typeof input>) => check(path, damaged(text, how), odd);
  await fuzz(input, once, [200, 400, 401, 413, 415, 422]);
});

it("the endpoint for events", { timeout: TIMEOUT_MS }, async () => {
  const input = fc.record({
    text: eventsText,
    damage,
    headers,
    isKnown: fc.nat(9),
    chunk: fc.integer({ min: 1, max: 300 }),
  });
  const once = ({ text, damage: how, headers: odd, isKnown, chunk }: Input<typeof input>) => {
    const body = damaged(text, how);
    const chunks = Array.from({ length: Math.ceil(body.length / chunk) }, (_, index) =>
      body.subarray(index * chunk, (index + 1) * chunk),
    );
    return check(EVENTS, streamOf(chunks), isKnown === 0 ? odd : { ...odd, ...BEARER });
  };
  await fuzz(input, once, [200, 400, 401, 415, 422]);
});
