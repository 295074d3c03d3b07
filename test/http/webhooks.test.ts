// LiteLLM's alerts over HTTP: who is let in, what becomes of what they say, and that nothing is lost or waited for.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { spendMessageSchema } from "../../src/messages.ts";
import { Outage } from "../../src/outage.ts";
import { MINUTE, NOW, SECOND } from "../budget/builders.ts";
import { BY_TOKEN, bytes, CAPTURES, DoorsWorld, hexSignature, SIGNED, standardHeaders, streamOf } from "./doors.ts";

let world: DoorsWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new DoorsWorld();
});
afterEach(() => void vi.useRealTimers());

const { threshold, softBudget } = CAPTURES;
const HASH = "99a8a3fadd94abc1a9f7b4120d408636c6dbe922390756385c07b15cf4ceaaf8";
const MESSAGE = {
  kind: "webhook",
  door: "signed",
  event: "threshold_crossed",
  event_group: "key",
  key_hash: HASH,
  team_id: null,
  user_id: null,
  spend: "0.9",
  projected_spend: null,
  projected_exceeded_date: null,
  sent_at: NOW,
  received_at: NOW,
};
const problemOf = (answer: { body: { type: string } }) => answer.body.type.replace("urn:bursar:problem:", "");

describe("a signed webhook", () => {
  it("W1: at 80 % it is answered 200, and its figure is on the queue", async () => {
    const { status, body } = await world.postSigned(softBudget);
    expect([status, body]).toEqual([200, { accepted: true }]);
    expect(world.messages).toEqual([{ ...MESSAGE, event: "soft_budget_crossed", spend: "0.6" }]);
  });

  it("W1: at 100 % it is answered 200, and its figure is on the queue", async () => {
    const crossed = { ...threshold, event: "budget_crossed", spend: 1.2000000000000002 };
    expect((await world.postSigned(crossed)).status).toBe(200);
    expect(world.messages).toEqual([{ ...MESSAGE, event: "budget_crossed", spend: "1.2" }]);
  });

  it.each([
    ["bare", (hex: string) => hex],
    ["with its algorithm", (hex: string) => `sha256=${hex}`],
  ])("by a hex signature, %s, is worth the same", async (_, written) => {
    const text = JSON.stringify(threshold);
    const { status } = await world.post(SIGNED, text, { "X-LiteLLM-Signature": written(hexSignature(text)) });
    expect([status, world.messages]).toEqual([200, [MESSAGE]]);
  });

  it("by the secret that is going out is taken", async () => {
    expect((await world.postSigned(threshold, { secret: "old-webhook-secret" })).status).toBe(200);
  });

  it("was sent when it was signed", async () => {
    await world.postSigned(threshold, { at: NOW - MINUTE });
    expect(world.messages).toEqual([{ ...MESSAGE, sent_at: NOW - MINUTE }]);
  });

  it.each([
    ["300 s ago", -300, 200],
    ["301 s ago", -301, 401],
    ["300 s ahead", 300, 200],
    ["301 s ahead", 301, 401],
  ])("signed %s: %s", async (_, seconds, status) => {
    expect((await world.postSigned(threshold, { at: NOW + seconds * SECOND })).status).toBe(status);
  });

  it("is on the queue as its consumer reads it, whatever there is in it besides", async () => {
    await world.postSigned({ ...threshold, surprise: { deep: [1, 2] } });
    expect(spendMessageSchema.safeParse(world.messages[0]).success).toBe(true);
    expect(world.messages).toEqual([MESSAGE]);
  });

  it("touches nothing but the queue and Redis", async () => {
    for (const [port, verb] of [
      ["tenants", "load"],
      ["tenants", "findByKey"],
    ] as const) {
      world[port].trouble(verb, new Outage("postgres", "away", null));
    }
    expect((await world.postSigned(threshold)).status).toBe(200);
    expect(world.tenants.calls("load") + world.tenants.calls("findByKey")).toBe(0);
  });
});

describe("a webhook that nobody vouches for", () => {
  const text = JSON.stringify(threshold);
  const wrong = async () => standardHeaders(text, { secret: "wrong-secret" });

  it.each<[string, () => Promise<Record<string, string>>]>([
    ["W2: a wrong signature", wrong],
    ["W2: no signature", async () => ({})],
    ["W2: a wrong hex signature", async () => ({ "X-LiteLLM-Signature": hexSignature(text, "wrong-secret") })],
    ["W2: a signature of another body", async () => standardHeaders(`${text} `)],
    ["W2: a signature without an id", async () => ({ ...(await standardHeaders(text)), "webhook-id": "" })],
    [
      "E4: a wrong signature beside a right hex one",
      async () => ({
        ...(await wrong()),
        "X-LiteLLM-Signature": hexSignature(text),
      }),
    ],
    ["W2: the URL's token as a bearer", async () => ({ authorization: "Bearer url-token" })],
  ])("%s: 401, and nothing is stored", async (_, headers) => {
    const answer = await world.post(SIGNED, text, await headers());
    expect([answer.status, problemOf(answer)]).toEqual([401, "invalid-signature"]);
    await world.untilQuiet();
    expect([world.messages, [...world.redis.webhooks]]).toEqual([[], []]);
  });

  it("E4: its body is not even looked at", async () => {
    const answer = await world.post(SIGNED, "{ not json", await wrong());
    expect([answer.status, world.messages]).toEqual([401, []]);
  });

  it("W2: a wrong token in the URL is a 401 that tells no token, nor does the log", async () => {
    const answer = await world.post("/v1/webhooks/litellm/url-tokem", text);
    expect([answer.status, problemOf(answer), world.messages]).toEqual([401, "unauthorized", []]);
    expect(JSON.stringify(answer.body) + world.log.lines.join()).not.toContain("url-toke");
  });
});

describe("a webhook by the token in its URL", () => {
  it("is taken, and the message says that it is only a hint's worth", async () => {
    const { status, body } = await world.post(BY_TOKEN, JSON.stringify(threshold));
    expect([status, body]).toEqual([200, { accepted: true }]);
    expect(world.messages).toEqual([{ ...MESSAGE, door: "url_token" }]);
  });

  it("by the token that is going out is taken", async () => {
    const { status } = await world.post("/v1/webhooks/litellm/old-url-token", JSON.stringify(threshold));
    expect(status).toBe(200);
  });

  it("never shows its token in the log, even when the queue is away", async () => {
    world.queue.isAway = true;
    expect((await world.post(BY_TOKEN, JSON.stringify(threshold))).status).toBe(503);
    expect(world.log.lines.join()).toContain("/v1/webhooks/litellm/:token");
    expect(world.log.lines.join()).not.toContain("url-token");
  });

  it("has no id that counts: anybody could have written it, and hold up another's", async () => {
    const headers = { "webhook-id": "msg_1" };
    for (let time = 0; time < 2; time++) await world.post(BY_TOKEN, JSON.stringify(threshold), headers);
    expect(world.messages).toHaveLength(2);
    expect((await world.postSigned(threshold, { id: "msg_1" })).status).toBe(200);
    expect(world.messages).toHaveLength(3);
  });
});

describe("an id", () => {
  it("that was taken is answered 200 and not queued again", async () => {
    for (let time = 0; time < 3; time++) {
      expect((await world.postSigned(threshold)).status).toBe(200);
      await world.untilQuiet();
    }
    expect(world.messages).toHaveLength(1);
    await world.postSigned(threshold, { id: "msg_2" });
    expect(world.messages).toHaveLength(2);
  });

  it("is remembered only once the queue has the message", async () => {
    world.queue.isAway = true;
    const answer = await world.postSigned(threshold);
    expect([answer.status, problemOf(answer)]).toEqual([503, "dependency-unavailable"]);
    expect(answer.headers.get("Retry-After")).toBe("5");
    await world.untilQuiet();
    expect(world.redis.webhooks.size).toBe(0);
    world.queue.isAway = false;
    expect((await world.postSigned(threshold)).status).toBe(200);
    expect(world.messages).toHaveLength(1);
  });

  it("is remembered behind the answer", async () => {
    world.claims.trouble("rememberWebhook", "hangs");
    expect((await world.postSigned(threshold)).status).toBe(200);
  });

  it("without Redis the webhook is taken all the same, and the log says so", async () => {
    world.redis.isAway = true;
    expect((await world.postSigned(threshold)).status).toBe(200);
    await world.untilQuiet();
    expect(world.messages).toHaveLength(1);
    const said = (words: string) => world.log.lines.some((line) => line.includes(words));
    expect([said("webhook id not checked"), said("remember a webhook failed")]).toEqual([true, true]);
  });

  it("that is not there is not asked for", async () => {
    const text = JSON.stringify(threshold);
    await world.post(SIGNED, text, { "X-LiteLLM-Signature": hexSignature(text) });
    await world.post(BY_TOKEN, text);
    await world.untilQuiet();
    expect([world.claims.calls("hasTakenWebhook"), world.claims.calls("rememberWebhook")]).toEqual([0, 0]);
  });
});

describe("a body", () => {
  const post = (body: BodyInit) => world.post(BY_TOKEN, body);

  it.each<[string, BodyInit]>([
    ["nothing", ""],
    ["half an object", '{"spend":1'],
    ["NaN", '{"spend":NaN}'],
    ["bytes that are no UTF-8", new Uint8Array([0x22, 0xff, 0x22])],
  ])("W3: %s is a 400", async (_, body) => {
    const answer = await post(body);
    expect([answer.status, problemOf(answer), world.messages]).toEqual([400, "malformed-json", []]);
  });

  it("W3: signed and malformed is a 400 too", async () => {
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
    ["a token that is none", { ...threshold, token: 7 }, ["token"]],
    ["a team that is none", { ...threshold, team_id: {} }, ["team_id"]],
    ["a user that is none", { ...threshold, user_id: [] }, ["user_id"]],
    ["a team that no database keeps", { ...threshold, team_id: "a\0b" }, ["team_id"]],
    ["a user that is half a character", { ...threshold, user_id: "\ud800" }, ["user_id"]],
    ["a text that is too long for the queue", { ...threshold, event: "e".repeat(501) }, ["event"]],
    ["more money than there is", { ...threshold, spend: 1e300 }, ["spend"]],
  ])("%s is a 422 that names it", async (_, body, fields) => {
    const answer = await post(JSON.stringify(body));
    expect([answer.status, problemOf(answer), world.messages]).toEqual([422, "invalid-fields", []]);
    expect(answer.body.errors.map(({ field }: { field: string }) => field).sort()).toEqual(fields);
  });

  it("a number that is too large for any double is a 422", async () => {
    expect((await post('{"spend":1e400,"event":"e","event_group":"key"}')).status).toBe(422);
  });

  it.each([
    ["an event that nobody knows", { event: "budget_exploded" }, { event: "budget_exploded" }],
    ["a group that nobody knows", { event_group: "project" }, { event_group: "project" }],
    ["no token", { token: undefined }, { key_hash: null }],
    ["an empty token", { token: "" }, { key_hash: null }],
    ["a hash in upper case", { token: HASH.toUpperCase() }, { key_hash: HASH }],
    ["a token that is no hash", { token: "Not-A-Hash" }, { key_hash: "Not-A-Hash" }],
    ["a team and a user", { team_id: "Team-1", user_id: "acme" }, { team_id: "Team-1", user_id: "acme" }],
    [
      "a projection",
      { projected_spend: 12.5, projected_exceeded_date: "2026-11-20" },
      { projected_spend: "12.5", projected_exceeded_date: "2026-11-20" },
    ],
    ["a projection in words", { projected_spend: "12.5", projected_exceeded_date: "soon" }, {}],
    ["a projection below zero", { projected_spend: -1, projected_exceeded_date: 20261120 }, {}],
    ["a projection without end", { projected_exceeded_date: `2026-11-20${" ".repeat(31)}` }, {}],
  ])("%s is taken", async (_, differences, expected) => {
    expect((await post(JSON.stringify({ ...threshold, ...differences }))).status).toBe(200);
    expect(world.messages).toEqual([{ ...MESSAGE, door: "url_token", ...expected }]);
  });

  it("X2: negative spend counts as zero, and the log says so", async () => {
    expect((await post(JSON.stringify({ ...threshold, spend: -0.25 }))).status).toBe(200);
    expect(world.messages).toEqual([{ ...MESSAGE, door: "url_token", spend: "0" }]);
    expect(world.log.lines.join()).toContain("negative spend counts as zero");
  });

  it("with a byte order mark is taken", async () => {
    expect((await post(`\ufeff${JSON.stringify(threshold)}`)).status).toBe(200);
  });

  it.each([
    [SIGNED, "with its length", false],
    [SIGNED, "without one", true],
    [BY_TOKEN, "with its length", false],
    [BY_TOKEN, "without one", true],
  ])("%s: over 1 MiB, %s, is a 413", async (path, _, isStreamed) => {
    const whole = bytes("x".repeat(1024 * 1024 + 1));
    const body = isStreamed ? streamOf([whole.subarray(0, 1024 * 1024), whole.subarray(1024 * 1024)]) : whole;
    const headers: Record<string, string> = isStreamed ? {} : { "content-length": String(whole.length) };
    const answer = await world.post(path, body, headers);
    expect([answer.status, world.messages]).toEqual([413, []]);
  });

  it("of exactly 1 MiB is read", async () => {
    const text = JSON.stringify(threshold);
    expect((await post(text.padEnd(1024 * 1024))).status).toBe(200);
  });
});

it.each(["GET", "PUT"])("%s is not for webhooks", async (method) => {
  for (const path of [SIGNED, BY_TOKEN]) {
    const answer = await world.call(path, { method });
    expect([answer.status, answer.headers.get("Allow")]).toEqual([405, "POST"]);
  }
});
