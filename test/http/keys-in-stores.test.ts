// A raw virtual key goes no further than the endpoint that receives it, whatever field, header or path holds it: no
// queue, so no audit line and no dead letter either, no KV and no log.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { GUARD_PATH } from "../../src/http/litellm/guard.ts";
import { NOW } from "../budget/builders.ts";
import { countFrom } from "../support/builders/count-from.ts";
import { sha256, VIRTUAL_KEY } from "../support/builders/virtual-key.ts";
import { POLICY } from "../support/worlds/check-world.ts";
import {
  anEvent,
  BEARER,
  BY_TOKEN,
  CAPTURES,
  EndpointsWorld,
  EVENTS,
  SIGNED,
  standardHeaders,
} from "./litellm/endpoints.ts";
import { aQuestion, TOKEN } from "./litellm/guard-world.ts";

const RUNS = countFrom("FUZZ_BODIES", 200);
const TIMEOUT_MS = 60_000 + 10 * RUNS;

beforeAll(() => void vi.useFakeTimers({ toFake: ["Date"], now: NOW }));
afterAll(() => void vi.useRealTimers());

const key = fc.stringMatching(/^sk-[\w-]{1,40}$/);
/** A key as people and proxies write it. The last but one is a date to V8. */
const written = fc.constantFrom(
  (raw: string) => raw,
  (raw: string) => `Bearer ${raw}`,
  (raw: string) => `bearer  ${raw} `,
  (raw: string) => `key=${raw}`,
  (raw: string) => `(${raw}) 1`,
  (raw: string) => `${"a".repeat(64)} ${raw}`,
);

/** Everything that outlives a request, and what stores are asked for. */
function kept(world: EndpointsWorld, asked: readonly string[]): string {
  return JSON.stringify([asked, world.queue.sent, world.log.lines, [...world.kv.owners], [...world.kv.configs.keys()]]);
}

async function neverKeeps<T>(place: fc.Arbitrary<T>, send: (world: EndpointsWorld, place: T, text: string) => unknown) {
  const property = fc.asyncProperty(place, key, written, async (where, raw, write) => {
    const world = new EndpointsWorld();
    world.policy = { ...POLICY, unmanagedKeys: "block" };
    world.hasTenant({ subject: { kind: "key", id: sha256(VIRTUAL_KEY) } });
    const asked: string[] = [];
    world.kv.ownerOf = async (caller) => {
      asked.push(caller);
      return null;
    };
    await send(world, where, write(raw));
    await world.untilQuiet();
    expect(kept(world, asked)).not.toContain(raw);
  });
  await fc.assert(property, { numRuns: RUNS });
}

const WEBHOOK = fc.constantFrom(...Object.keys(CAPTURES.threshold), "unknown");
const METADATA = fc.constantFrom(
  ...["user_api_key_hash", "user_api_key_team_id", "user_api_key_alias", "user_api_key_user_id"],
);
const EVENT = fc.constantFrom(...["id", "litellm_call_id", "status", "startTime", "endTime", "model", "end_user"]);

describe("a raw key is never kept", { timeout: TIMEOUT_MS }, () => {
  it("from any field of a webhook", () =>
    neverKeeps(WEBHOOK, (world, field, text) =>
      world.post(BY_TOKEN, JSON.stringify({ ...CAPTURES.threshold, [field]: text })),
    ));

  it("from the ids of a signed webhook", () =>
    neverKeeps(fc.constantFrom("webhook-id", "x-request-id"), async (world, header, text) => {
      const body = JSON.stringify(CAPTURES.threshold);
      const signed = await standardHeaders(body, header === "webhook-id" ? { id: text.trim() } : {});
      await world.post(SIGNED, body, header === "webhook-id" ? signed : { ...signed, [header]: text });
    }));

  it("from any field of a call event", () =>
    neverKeeps(fc.oneof(METADATA, EVENT), (world, field, text) => {
      const isOuter = !field.startsWith("user_api_key");
      return world.post(
        EVENTS,
        JSON.stringify([anEvent(...(isOuter ? [{}, { [field]: text }] : [{ [field]: text }]))]),
        BEARER,
      );
    }));

  it("from any field of Guard's question", () =>
    neverKeeps(fc.oneof(METADATA, fc.constantFrom("model", "litellm_call_id", "texts")), (world, field, text) => {
      const question = aQuestion({ user_api_key_team_id: "team-1", [field]: text }, { [field]: text });
      return world.post(GUARD_PATH, JSON.stringify(question), TOKEN);
    }));

  it("from any place of a call through Gate or a question to Ask", () =>
    neverKeeps(
      fc.tuple(
        fc.constantFrom(
          "/llm/v1/chat/completions",
          "/llm/v1/responses/KEY/cancel",
          "/v1/budget",
          "/v1/tenants/KEY/check",
        ),
        fc.constantFrom("authorization", "x-api-key", "api-key", "x-request-id", "x-other", "query"),
      ),
      async (world, [path, where], text) => {
        world.models.next = { kind: "unreachable", why: "network", mayHaveArrived: true };
        const url = path.replace("KEY", encodeURIComponent(text)) + (where === "query" ? `?key=${text}` : "");
        const headers = { authorization: `Bearer ${VIRTUAL_KEY}`, ...(where !== "query" && { [where]: text }) };
        await world.call(url, { method: path.startsWith("/llm") ? "POST" : "GET", headers });
      },
    ));
});

it("names the key's hash where a report holds the raw key", async () => {
  const world = new EndpointsWorld();
  await world.post(BY_TOKEN, JSON.stringify({ ...CAPTURES.threshold, token: `Bearer ${VIRTUAL_KEY}` }));
  await world.post(
    EVENTS,
    JSON.stringify([anEvent({ user_api_key_hash: VIRTUAL_KEY }, { status: "failure" })]),
    BEARER,
  );
  expect(world.messages).toMatchObject([
    { kind: "webhook", key_hash: sha256(VIRTUAL_KEY) },
    { kind: "calls", hints: [{ key_hash: sha256(VIRTUAL_KEY) }] },
  ]);
});

it("gives a request another id than the key that its caller sent as one", async () => {
  const { headers, body } = await new EndpointsWorld().call("/v1/nothing", {
    headers: { "X-Request-Id": VIRTUAL_KEY },
  });
  expect(body.request_id).toBe(headers.get("X-Request-Id"));
  expect(body.request_id).toMatch(/^[0-9a-f-]{36}$/);
});
