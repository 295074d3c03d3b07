// LiteLLM's alerts over HTTP: authentication, the queue message, and an answer that waits only for the queue.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { spendMessageSchema } from "../../../src/ports/messages.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { Claims } from "../../../src/ports/ports.ts";
import { MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { FakeClaims } from "../../support/fakes/fake-claims.ts";
import {
  BY_TOKEN,
  CAPTURES,
  EndpointsWorld,
  hexSignature,
  problemOf,
  SIGNED,
  STOCK_WEBHOOK,
  standardHeaders,
  WEBHOOK,
} from "./endpoints.ts";

/** Every call to Redis. */
const CLAIM_VERBS = Object.getOwnPropertyNames(FakeClaims.prototype).filter(
  (name): name is keyof Claims & string => name !== "constructor",
);

let world: EndpointsWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new EndpointsWorld();
});
afterEach(() => void vi.useRealTimers());

const { threshold, softBudget } = CAPTURES;
describe("a signed webhook", () => {
  it("W1: answers 200 to an alert at 80 % and queues its spend", async () => {
    const { status, body } = await world.postSigned(softBudget);
    expect([status, body]).toEqual([200, { accepted: 1 }]);
    expect(world.messages).toEqual([{ ...WEBHOOK, event: "soft_budget_crossed", spend: "0.6" }]);
  });

  it("W1: answers 200 to an alert at 100 % and queues its spend", async () => {
    const crossed = { ...threshold, event: "budget_crossed", spend: 1.2000000000000002 };
    expect((await world.postSigned(crossed)).status).toBe(200);
    expect(world.messages).toEqual([{ ...WEBHOOK, event: "budget_crossed", spend: "1.2" }]);
  });

  it.each([
    ["bare", (hex: string) => hex],
    ["with its algorithm", (hex: string) => `sha256=${hex}`],
  ])("trusts a hex signature the same, %s", async (_, written) => {
    const text = JSON.stringify(threshold);
    const { status } = await world.post(SIGNED, text, { "X-LiteLLM-Signature": written(hexSignature(text)) });
    expect([status, world.messages]).toEqual([200, [{ ...WEBHOOK, webhook_id: null }]]);
  });

  it("accepts the previous secret during rotation", async () => {
    expect((await world.postSigned(threshold, { secret: "old-webhook-secret" })).status).toBe(200);
  });

  it("dates the webhook by its signature", async () => {
    await world.postSigned(threshold, { at: NOW - MINUTE });
    expect(world.messages).toEqual([{ ...WEBHOOK, sent_at: NOW - MINUTE }]);
  });

  it.each([
    ["300 s ago", -300, 200],
    ["301 s ago", -301, 401],
    ["300 s ahead", 300, 200],
    ["301 s ahead", 301, 401],
  ])("checks the age of a signature from %s: %s", async (_, seconds, status) => {
    expect((await world.postSigned(threshold, { at: NOW + seconds * SECOND })).status).toBe(status);
  });

  it("queues what the consumer can parse, without other fields", async () => {
    await world.postSigned({ ...threshold, surprise: { deep: [1, 2] } });
    expect(spendMessageSchema.safeParse(world.messages[0]).success).toBe(true);
    expect(world.messages).toEqual([WEBHOOK]);
  });

  it("calls nothing but the queue", async () => {
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

describe("an unauthenticated webhook", () => {
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
  ])("%s: answers 401 and queues nothing", async (_, headers) => {
    const answer = await world.post(SIGNED, text, await headers());
    expect([answer.status, problemOf(answer)]).toEqual([401, "invalid-signature"]);
    await world.untilQuiet();
    expect(world.messages).toEqual([]);
  });

  it("E4: does not read its body", async () => {
    const answer = await world.post(SIGNED, "{ not json", await wrong());
    expect([answer.status, world.messages]).toEqual([401, []]);
  });

  it("W2: answers 401 to a wrong URL token, and neither answer nor log shows a token", async () => {
    const answer = await world.post("/v1/webhooks/litellm/url-tokem", text);
    expect([answer.status, problemOf(answer), world.messages]).toEqual([401, "unauthorized", []]);
    expect(JSON.stringify(answer.body) + world.log.lines.join()).not.toContain("url-toke");
  });
});

describe("a webhook with a URL token", () => {
  it("accepts a webhook with a URL token and queues it as a hint", async () => {
    const { status, body } = await world.post(BY_TOKEN, JSON.stringify(threshold));
    expect([status, body]).toEqual([200, { accepted: 1 }]);
    expect(world.messages).toEqual([STOCK_WEBHOOK]);
  });

  it("accepts the previous token during rotation", async () => {
    const { status } = await world.post("/v1/webhooks/litellm/old-url-token", JSON.stringify(threshold));
    expect(status).toBe(200);
  });

  it("never shows its token in the log, even when the queue is down", async () => {
    world.queue.isAway = true;
    expect((await world.post(BY_TOKEN, JSON.stringify(threshold))).status).toBe(503);
    expect(world.log.lines.join()).toContain("/v1/webhooks/litellm/:token");
    expect(world.log.lines.join()).not.toContain("url-token");
  });

  it("ignores an unsigned id, which could suppress another webhook", async () => {
    const headers = { "webhook-id": "msg_1" };
    expect((await world.post(BY_TOKEN, JSON.stringify(threshold), headers)).status).toBe(200);
    expect(world.messages).toEqual([expect.objectContaining({ auth: "url_token", webhook_id: null })]);
  });
});

describe("an id", () => {
  it("accepts and queues a repeated id, which the consumer skips", async () => {
    for (let time = 0; time < 2; time++) expect((await world.postSigned(threshold)).status).toBe(200);
    expect(world.messages).toEqual([WEBHOOK, WEBHOOK]);
  });

  it("accepts an id again after the queue refused it", async () => {
    world.queue.isAway = true;
    const answer = await world.postSigned(threshold);
    expect([answer.status, problemOf(answer)]).toEqual([503, "dependency-unavailable"]);
    expect(answer.headers.get("Retry-After")).toBe("5");
    world.queue.isAway = false;
    expect((await world.postSigned(threshold)).status).toBe(200);
    expect(world.messages).toHaveLength(1);
  });

  it("never calls Redis", async () => {
    await world.postSigned(threshold);
    await world.untilQuiet();
    expect(CLAIM_VERBS.filter((verb) => world.claims.calls(verb) > 0)).toEqual([]);
  });
});

it("W5: answers as soon as the queue has the message, whatever else hangs", async () => {
  for (const verb of ["load", "findByKey", "findBySubject"] as const) world.tenants.trouble(verb, "hangs");
  world.reads.trouble("readSubject", "hangs");
  world.snapshots.trouble("tenant", "hangs");
  for (const verb of CLAIM_VERBS) world.claims.trouble(verb, "hangs");
  const begunAt = world.clock();
  expect((await world.postSigned(threshold)).status).toBe(200);
  expect(world.clock() - begunAt).toBe(0);
  expect(world.messages).toHaveLength(1);
});

it.each(["GET", "PUT"])("answers 405 to %s", async (method) => {
  for (const path of [SIGNED, BY_TOKEN]) {
    const answer = await world.call(path, { method });
    expect([answer.status, answer.headers.get("Allow")]).toEqual([405, "POST, OPTIONS"]);
  }
});
