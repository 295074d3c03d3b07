// Guard's reader against JSON.parse: for any prompt, any position of request_data, any JSON escapes and any chunks,
// it finds the same caller as JSON.parse. Every body, damaged or not, gets a 200.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { KeyHash } from "../../../src/budget/tenant.ts";
import { type GuardRequest, guardRequestFrom } from "../../../src/http/litellm/guard-body.ts";
import { NOW, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { countFrom } from "../../support/builders/count-from.ts";
import { bytes, streamOf } from "./endpoints.ts";
import { blocked, GuardWorld, NONE, TOKEN } from "./guard-world.ts";

/** The number of bodies; `npm run fuzz` sends a hundred thousand. */
const BODIES = countFrom("FUZZ_BODIES", 1_500);
const RUNS = Math.ceil(BODIES / 2);

/** A busy machine needs up to two milliseconds per body. */
const TIMEOUT_MS = 60_000 + 10 * RUNS;

const HASH = "user_api_key_hash";
const TEAM = "user_api_key_team_id";
const ids = fc.constantFrom(hashOf("a"), hashOf("b"), "B".repeat(64), "team-1", "tëam \u{1f600}", "x".repeat(199), "");

/** JSON text with random characters escaped in any valid way. */
function written(text: string): fc.Arbitrary<string> {
  return fc.array(fc.nat(5), { minLength: text.length, maxLength: text.length }).map((ways) => {
    const units = Array.from({ length: text.length }, (_, index) => text.charAt(index));
    const escaped = units.map((unit, index) => {
      const code = unit.charCodeAt(0);
      const isHalf = code >= 0xd800 && code <= 0xdfff;
      const hex = code.toString(16).padStart(4, "0");
      // Half a surrogate pair beside an escaped half is invalid UTF-8, so both are escaped.
      return ways[index] === 0 || isHalf ? `\\u${hex}` : JSON.stringify(unit).slice(1, -1);
    });
    return `"${escaped.join("")}"`;
  });
}
const text = ids.chain(written);
const name = (...names: string[]) => fc.constantFrom(...names).chain(written);

/** Texts that imitate the caller's fields, as a prompt, in a prompt, or around one. */
const decoyText = fc
  .constantFrom(
    `"request_data":{"${HASH}":"${hashOf("d")}"}`,
    `"},"request_data":{"${HASH}":"${hashOf("d")}"},"x":{"`,
    `\\"}]},"request_data":{"${TEAM}":"team-2"}`,
    "}]}",
    "\\",
    '\\"',
    "{[",
  )
  .map((decoy) => JSON.stringify(decoy));
const decoyObject = fc
  .tuple(fc.constantFrom("request_data", HASH, TEAM, "role"), fc.constantFrom(hashOf("d"), "team-2"), fc.nat(2))
  .map(([key, id, depth]) => {
    const inner = `{"request_data":{"${HASH}":"${id}","${TEAM}":"${id}"},"${key}":"${id}"}`;
    return `${'{"request_data":['.repeat(depth)}${inner}${"]}".repeat(depth)}`;
  });
const anyValue = fc.jsonValue({ maxDepth: 3, stringUnit: "binary" }).map((value) => JSON.stringify(value));
const long = fc.constantFrom("x".repeat(3_000), '\\"'.repeat(2_000), "é".repeat(1_500)).map((much) => `"${much}"`);
const value = fc.oneof(decoyText, decoyObject, anyValue, long);
const list = fc.array(value, { maxLength: 4 }).map((values) => `[${values.join(" ,\n")}]`);

type Member = readonly [name: string, value: string];
const objectOf = (members: fc.Arbitrary<Member[]>) =>
  members.map((pairs) => `{ ${pairs.map(([key, member]) => `${key} : ${member}`).join(",")}}`);

/** The caller's fields once, twice or not at all, beside other and deeper members. */
const caller: fc.Arbitrary<string> = objectOf(
  fc.array(
    fc.oneof(
      fc.tuple(
        name(HASH, TEAM),
        fc.oneof({ weight: 4, arbitrary: text }, { weight: 1, arbitrary: fc.constant("null") }),
      ),
      fc.tuple(
        name("user_api_key_alias", "user_api_key_hash ", "request_data"),
        fc.oneof(decoyText, decoyObject, list),
      ),
    ),
    { maxLength: 5 },
  ),
);
const requestData = fc.oneof(
  { weight: 8, arbitrary: caller },
  { weight: 1, arbitrary: fc.constantFrom("null", "[]", "7") },
);
const body: fc.Arbitrary<string> = objectOf(
  fc.array(
    fc.oneof(
      fc.tuple(name("request_data"), requestData),
      fc.tuple(name("texts", "images", "structured_messages", "tools"), list),
      fc.tuple(name("model", "request_data ", "Request_data", HASH, TEAM, "__proto__"), fc.oneof(value, text)),
    ),
    { maxLength: 8 },
  ),
);

function chunksOf(whole: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(whole.length / size) }, (_, at) => whole.subarray(at * size, (at + 1) * size));
}
const chunkSize = fc.oneof(fc.constantFrom(1, 2, 3, 65_536), fc.integer({ min: 1, max: 300 }));

/** The caller that JSON.parse finds; null when request_data or its fields have a type that LiteLLM never sends. */
function parsedCaller(json: string): GuardRequest | null {
  const { request_data: data } = JSON.parse(json);
  const nobody = { keyHash: null, teamId: undefined, isAnswer: false };
  if (data == null) return nobody;
  if (typeof data !== "object" || Array.isArray(data)) return null;
  const hash: unknown = data[HASH];
  const isHash = typeof hash === "string" && /^[0-9a-f]{64}$/i.test(hash);
  const teamId = data[TEAM] === undefined ? undefined : data[TEAM] || null;
  return { ...nobody, keyHash: isHash ? (hash.toLowerCase() as KeyHash) : null, teamId };
}

it("finds the same caller as JSON.parse", { timeout: TIMEOUT_MS }, async () => {
  const kinds = new Map<string, number>();
  const property = fc.asyncProperty(body, chunkSize, async (json, size) => {
    const expected = parsedCaller(json);
    expect(await guardRequestFrom(streamOf(chunksOf(bytes(json), size)))).toEqual(expected);
    const kind = expected === null ? "none" : `${expected.keyHash !== null} ${expected.teamId != null}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  });
  await fc.assert(property, { numRuns: RUNS });
  // Otherwise the bodies were all alike and proved nothing.
  expect([...kinds.keys()].sort()).toEqual(["false false", "false true", "none", "true false", "true true"]);
  for (const count of kinds.values()) expect(count).toBeGreaterThan(RUNS / 100);
});

describe("the endpoint", () => {
  beforeAll(() => void vi.useFakeTimers({ toFake: ["Date"], now: NOW }));
  afterAll(() => void vi.useRealTimers());

  /** How a body is damaged in transit. */
  const damage = fc.record({
    kind: fc.constantFrom("none", "cut", "overwrite", "insert"),
    at: fc.nat(),
    strange: fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.constantFrom(...['"', "\\", "]", "{", "NaN", "}"].map(bytes)),
    ),
  });
  type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;
  function damaged(whole: Uint8Array, { kind, at, strange }: Damage): Uint8Array {
    const place = at % (whole.length + 1);
    if (kind === "none") return whole;
    if (kind === "cut") return whole.subarray(0, place);
    const rest = whole.subarray(kind === "overwrite" ? place + strange.length : place);
    return new Uint8Array([...whole.subarray(0, place), ...strange, ...rest]);
  }
  const token = fc.oneof({ weight: 9, arbitrary: fc.constant(TOKEN) }, { weight: 1, arbitrary: fc.constant({}) });

  it("answers only NONE or BLOCKED, and 401 without the token", { timeout: TIMEOUT_MS }, async () => {
    const world = new GuardWorld();
    world.hasTenant({}, { spendNanoUsd: usd("552") });
    const seen = new Set<string>();
    const property = fc.asyncProperty(body, damage, chunkSize, token, async (json, how, size, headers) => {
      const stream = streamOf(chunksOf(damaged(bytes(json), how), size));
      const { status, body: answer } = await world.guard(stream, headers);
      expect(status).toBe("x-api-key" in headers ? 200 : 401);
      if (status !== 200) return;
      expect([NONE, blocked(answer.blocked_reason)]).toContainEqual(answer);
      if (answer.action === "BLOCKED") expect(answer.blocked_reason).toMatch(/\w/);
      seen.add(answer.action);
    });
    await fc.assert(property, { numRuns: RUNS });
    expect(seen).toEqual(new Set(["NONE", "BLOCKED"]));
    expect(world.log.lines.filter((line) => line.startsWith("error"))).toEqual([]);
  });
});
