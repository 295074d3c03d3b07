// The fields of LiteLLM's alerts: strict about money and identifiers, lenient about the rest.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NOW } from "../../budget/builders.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import {
  BY_TOKEN,
  bytes,
  CAPTURES,
  EndpointsWorld,
  problemOf,
  SIGNED,
  STOCK_WEBHOOK,
  standardHeaders,
  streamOf,
  WEBHOOK,
} from "./endpoints.ts";

let world: EndpointsWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new EndpointsWorld();
});
afterEach(() => void vi.useRealTimers());

const { threshold } = CAPTURES;

describe("a body", () => {
  const post = (body: BodyInit) => world.post(BY_TOKEN, body);

  it.each<[string, BodyInit]>([
    ["nothing", ""],
    ["half an object", '{"spend":1'],
    ["NaN", '{"spend":NaN}'],
    ["bytes that are no UTF-8", new Uint8Array([0x22, 0xff, 0x22])],
  ])("W3: answers 400 to %s", async (_, body) => {
    const answer = await post(body);
    expect([answer.status, problemOf(answer), world.messages]).toEqual([400, "malformed-json", []]);
  });

  it("W3: answers 400 to a signed malformed body", async () => {
    const text = '{"spend":';
    expect((await world.post(SIGNED, text, await standardHeaders(text))).status).toBe(400);
  });

  it.each<[string, unknown, string[]]>([
    ["W3: no spend", { ...threshold, spend: undefined }, ["spend"]],
    ["W3: no spend in it", { ...threshold, spend: null }, ["spend"]],
    ["W3: spend in words", { ...threshold, spend: "0.9" }, ["spend"]],
    ["W3: no event", { ...threshold, event: undefined }, ["event"]],
    ["W3: an empty event", { ...threshold, event: "" }, ["event"]],
    ["W3: no event_group", { ...threshold, event_group: undefined }, ["event_group"]],
    ["W3: nothing at all", {}, ["event", "event_group", "spend"]],
    ["W3: a list", [threshold], [""]],
    ["W3: a word", "spend", [""]],
    ["W3: null", null, [""]],
    ["a text that is too long for the queue", { ...threshold, event: "e".repeat(201) }, ["event"]],
    ["an event that is a raw key", { ...threshold, event: "sk-secret" }, ["event"]],
    ["more money than there is", { ...threshold, spend: 1e300 }, ["spend"]],
  ])("%s: answers 422 naming the field", async (_, body, fields) => {
    const answer = await post(JSON.stringify(body));
    expect([answer.status, problemOf(answer), world.messages]).toEqual([422, "invalid-fields", []]);
    expect(answer.body.errors.map(({ field }: { field: string }) => field).sort()).toEqual(fields);
  });

  it.each<[string, object, object]>([
    ["a token of another kind", { token: 7 }, { key_hash: null }],
    ["a token that is a raw key", { token: "Bearer sk-secret" }, { key_hash: sha256("sk-secret") }],
    ["a token that is neither", { token: "secret" }, { key_hash: null }],
    ["a team that is a raw key", { team_id: "sk-secret" }, { team_id: null }],
    ["a user that is a raw key", { user_id: "Bearer sk-secret" }, { user_id: null }],
    ["a team of another kind", { team_id: {} }, { team_id: null }],
    ["a user of another kind", { user_id: [] }, { user_id: null }],
    ["a team that no database stores", { team_id: "a\0b" }, { team_id: null }],
    ["a user that is half a character", { user_id: "\ud800" }, { user_id: null }],
    ["a user of 300 characters", { user_id: "u".repeat(300) }, { user_id: null }],
  ])("accepts the amount beside %s", async (_, odd, expected) => {
    expect((await post(JSON.stringify({ ...threshold, ...odd }))).status).toBe(200);
    expect(world.messages).toMatchObject([{ spend: "0.9", ...expected }]);
    expect(JSON.stringify(world.messages)).not.toContain("sk-secret");
  });

  it("answers 422 to a number too large for a double", async () => {
    expect((await post('{"spend":1e400,"event":"e","event_group":"key"}')).status).toBe(422);
  });

  it.each([
    ["an event that nobody knows", { event: "budget_exploded" }, { event: "budget_exploded" }],
    ["a group that nobody knows", { event_group: "project" }, { event_group: "project" }],
    ["no token", { token: undefined }, { key_hash: null }],
    ["an empty token", { token: "" }, { key_hash: null }],
    ["a hash in upper case", { token: WEBHOOK.key_hash.toUpperCase() }, { key_hash: WEBHOOK.key_hash }],
    ["a token that is no hash", { token: "Not-A-Hash" }, { key_hash: null }],
    ["a team and a user", { team_id: "Team-1", user_id: "acme" }, { team_id: "Team-1", user_id: "acme" }],
    ["a projection, which it passes on to nobody", { projected_spend: 12.5, projected_exceeded_date: "(sk-x) 1" }, {}],
  ])("accepts %s", async (_, differences, expected) => {
    expect((await post(JSON.stringify({ ...threshold, ...differences }))).status).toBe(200);
    expect(world.messages).toEqual([{ ...STOCK_WEBHOOK, ...expected }]);
  });

  it("X2: counts negative spend as zero, and logs it", async () => {
    expect((await post(JSON.stringify({ ...threshold, spend: -0.25 }))).status).toBe(200);
    expect(world.messages).toEqual([{ ...STOCK_WEBHOOK, spend: "0" }]);
    expect(world.log.lines.join()).toContain("negative spend counted as zero");
  });

  it("accepts a byte order mark", async () => {
    expect((await post(`\ufeff${JSON.stringify(threshold)}`)).status).toBe(200);
  });

  it.each([
    [SIGNED, "with its length", false],
    [SIGNED, "without one", true],
    [BY_TOKEN, "with its length", false],
    [BY_TOKEN, "without one", true],
  ])("answers 413 over 1 MiB: %s, %s", async (path, _, isStreamed) => {
    const whole = bytes("x".repeat(1024 * 1024 + 1));
    const body = isStreamed ? streamOf([whole.subarray(0, 1024 * 1024), whole.subarray(1024 * 1024)]) : whole;
    const headers: Record<string, string> = isStreamed ? {} : { "content-length": String(whole.length) };
    const answer = await world.post(path, body, headers);
    expect([answer.status, world.messages]).toEqual([413, []]);
  });

  it("accepts exactly 1 MiB", async () => {
    const text = JSON.stringify(threshold);
    expect((await post(text.padEnd(1024 * 1024))).status).toBe(200);
  });
});
