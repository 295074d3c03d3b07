// One notice to one channel: what is sent, what is recorded, and what the consumer does with the message.

import { beforeEach, describe, expect, it } from "vitest";
import { aPlatformNotice } from "../../../dev/notices/samples.ts";
import { Outage } from "../../../src/ports/outage.ts";
import { MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { aDispatch, TARGETS } from "../../support/builders/notice-builders.ts";
import { failed, NOT_CONFIGURED, REJECTED } from "../../support/fakes/fake-notifier.ts";
import { NoticeWorld } from "../../support/worlds/notice-world.ts";

const DONE = { kind: "done" };
const AWAY = new Outage("redis", "away", null);
const IDS = "00000000-0000-4000-8000-000000000001_00000000-0000-4000-8000-000000000001";

let world: NoticeWorld;
beforeEach(() => {
  world = new NoticeWorld();
});

describe("a notice that is sent", () => {
  it.each([
    ["slack", TARGETS.slack.url, null],
    ["email", TARGETS.email.to.join(), `notice_${IDS}`],
    ["webhook", TARGETS.webhook.url, `notice_${IDS}`],
  ] as const)("reaches a channel of kind %s once, at its target, and both stores know", async (kind, to, id) => {
    const key = world.hasDelivery(kind);
    expect(await world.send(key)).toEqual(DONE);
    expect(world.provider.arrived).toMatchObject([{ kind, to, id }]);
    expect(world.stateOf(key)).toMatchObject({
      status: "sent",
      sentAt: NOW,
      attempts: 1,
      lastError: null,
      nextAttemptAt: null,
      claim: "sent",
    });
  });

  it("logs which platform alert it sends", async () => {
    const { delivery, channel } = aDispatch();
    world.postgres.has({ delivery, channel, ...aPlatformNotice("litellm_out", {}) });
    expect(await world.send(delivery)).toEqual(DONE);
    expect(world.provider.arrived).toMatchObject([{ kind: "slack", to: TARGETS.slack.url }]);
    expect(world.log.lines).toContainEqual(
      expect.stringMatching(/^info notice sent .*"event_type":"platform_litellm_out"/),
    );
  });

  it("signs a webhook with the channel's secret at that moment, with the content of Slack and e-mail", async () => {
    await world.send(world.hasDelivery("webhook"), { at: SECOND });
    const contents = world.provider.arrived.map(({ content }) => content as { body: string });
    expect(contents).toMatchObject([{ secret: TARGETS.webhook.secret, sentAt: NOW + SECOND }]);
    expect(contents.map(({ body }) => JSON.parse(body).type)).toEqual(["budget.threshold_crossed"]);
  });

  it.each(["sent", "skipped", "superseded", "failed"] as const)(
    "leaves a delivery alone that is %s",
    async (status) => {
      const key = world.has(aDispatch({ delivery: { status, attempts: 3 } }));
      expect(await world.send(key)).toEqual(DONE);
      expect(world.provider.offers).toEqual([]);
      expect(world.stateOf(key)).toMatchObject({ status, attempts: 3, claim: null });
    },
  );

  it("skips a delivery whose alert or channel is deleted", async () => {
    const { alertId, channelId } = aDispatch().delivery;
    expect(await world.send({ alertId, channelId })).toEqual(DONE);
    expect(world.provider.offers).toEqual([]);
  });

  it("logs ids only, and never a target, ciphertext or secret", async () => {
    for (const [index, kind] of (["slack", "email", "webhook"] as const).entries()) {
      await world.send(world.hasDelivery(kind, index + 1));
    }
    world.provider.answers(failed("500"));
    await world.send(world.hasDelivery("webhook", 4));
    world.notifier.trouble("slack", new TypeError(`Invalid URL: ${TARGETS.slack.url}`));
    await world.send(world.hasDelivery("slack", 5));
    expect(world.log.lines).toHaveLength(6);
    expect(world.log.lines[0]).toMatch(/^info notice sent .*"channel_kind":"slack","tenant_id":"acme"/);
    expect(world.log.lines.join()).not.toContain("SECRET");
  });
});

describe("another message of the same delivery", () => {
  it("waits without loss while another message is sending", async () => {
    const key = world.hasDelivery();
    await world.redis.claimNotice(key, "other");
    expect(await world.send(key)).toMatchObject({ kind: "retry", delaySeconds: 30 });
    expect(world.provider.offers).toEqual([]);
    expect(world.stateOf(key)).toMatchObject({ status: "pending", attempts: 0, claim: "other" });
  });

  it("records the notice as sent when the other message sent it and died", async () => {
    const key = world.hasDelivery();
    await world.redis.noteNoticeSent(key);
    expect(await world.send(key, { at: SECOND })).toEqual(DONE);
    expect(world.provider.offers).toEqual([]);
    expect(world.stateOf(key)).toMatchObject({ status: "sent", sentAt: NOW + SECOND });
  });

  it("waits with the other message when that one failed", async () => {
    const key = world.has(aDispatch({ delivery: { attempts: 2, nextAttemptAt: NOW + MINUTE } }));
    expect(await world.send(key, { at: 1 })).toMatchObject({ kind: "requeue", delaySeconds: 60 });
    // A message may arrive up to a second early.
    expect(await world.send(key, { at: MINUTE - SECOND })).toEqual(DONE);
    expect(world.provider.arrived).toHaveLength(1);
  });

  it("N6: one of many concurrent messages sends", async () => {
    const key = world.hasDelivery();
    world.notifier.trouble("slack", 2_000);
    const messages = Array.from({ length: 50 }, (_, index) => world.send(key, { messageId: `m${index}` }));
    const ends = (await Promise.all(messages)).map(({ kind }) => kind);
    expect(world.provider.arrived).toHaveLength(1);
    expect([ends.filter((kind) => kind === "done"), ends.filter((kind) => kind === "retry")]).toMatchObject([
      { length: 1 },
      { length: 49 },
    ]);
    for (let index = 0; index < 50; index++) expect(await world.send(key, { messageId: `m${index}` })).toEqual(DONE);
    expect(world.provider.arrived).toHaveLength(1);
  });
});

describe("Redis", () => {
  it.each([
    ["down", AWAY],
    ["silent", "hangs"],
    ["slower than 250 ms", 251],
  ] as const)("N5: Redis %s: sends the notice all the same, after 250 ms at most, and logs it", async (_, trouble) => {
    const key = world.hasDelivery();
    let offeredAt = -1;
    const slack = world.provider.port.slack;
    const notifier = {
      ...world.provider.port,
      slack: (...notice: Parameters<typeof slack>) => {
        offeredAt = world.timers.elapsedMs;
        return slack(...notice);
      },
    };
    world.claims.trouble("claimNotice", trouble);
    expect(await world.send(key, { deps: { ...world.deps(), notifier } })).toEqual(DONE);
    expect(offeredAt).toBeLessThanOrEqual(250);
    expect(world.provider.arrived).toHaveLength(1);
    expect(world.postgres.of(key).status).toBe("sent");
    expect(world.log.lines[0]).toContain("error notice claim failed");
  });

  it("accepts an answer just in time", async () => {
    const key = world.hasDelivery();
    await world.redis.claimNotice(key, "other");
    world.claims.trouble("claimNotice", 249);
    expect(await world.send(key)).toMatchObject({ kind: "retry" });
  });

  it("sends once when Redis is down throughout, because Postgres records it", async () => {
    const key = world.hasDelivery();
    world.redis.isAway = true;
    expect(await world.send(key)).toEqual(DONE);
    expect(await world.send(key, { messageId: "m2" })).toEqual(DONE);
    expect(world.provider.arrived).toHaveLength(1);
  });

  it("releases no claim that the message does not have", async () => {
    const key = world.hasDelivery();
    await world.redis.claimNotice(key, "other");
    world.claims.trouble("claimNotice", AWAY);
    world.provider.answers(failed());
    await world.send(key);
    expect(world.stateOf(key).claim).toBe("other");
  });
});

describe("Postgres is away", () => {
  it("sends nothing when Postgres fails before sending, and the message is redelivered", async () => {
    const key = world.hasDelivery();
    world.postgres.isAway = true;
    await expect(world.send(key)).rejects.toMatchObject({ dependency: "postgres" });
    expect(world.provider.offers).toEqual([]);
  });

  it("tries three times when Postgres fails after sending, and the redelivery finds in Redis that it was sent", async () => {
    const key = world.hasDelivery();
    world.deliveries.trouble("end", new Outage("postgres", "away", null));
    await expect(world.send(key)).rejects.toMatchObject({ dependency: "postgres" });
    expect(world.deliveries.calls("end")).toBe(3);
    world.deliveries.trouble("end", null);
    expect(await world.send(key, { at: MINUTE })).toEqual(DONE);
    expect(world.provider.arrived).toHaveLength(1);
    expect(world.stateOf(key)).toMatchObject({ status: "sent", claim: "sent" });
  });

  it("logs a possible duplicate when both stores fail after sending", async () => {
    const key = world.hasDelivery();
    world.deliveries.trouble("end", new Outage("postgres", "away", null));
    world.claims.trouble("noteNoticeSent", AWAY);
    await expect(world.send(key)).rejects.toThrow();
    expect(world.claims.calls("noteNoticeSent")).toBe(3);
    expect(world.log.lines.join()).toContain("sent notice recorded in neither store");
  });
});

describe("a notice that is not sent", () => {
  it("skips a disabled channel", async () => {
    const key = world.has(aDispatch({ channel: { enabled: false } }));
    expect(await world.send(key)).toEqual(DONE);
    expect(world.provider.offers).toEqual([]);
    expect(world.stateOf(key)).toMatchObject({ status: "skipped", lastError: "the channel is disabled", claim: null });
  });

  it.each([
    ["slack", "acme"],
    ["email", "Acme Inc."],
    ["webhook", '\\"type\\":\\"budget.threshold_crossed\\"'],
  ] as const)("N4: %s not configured: logs a preview, throws nothing, skips the delivery", async (kind, words) => {
    const key = world.hasDelivery(kind);
    world.provider.answers(NOT_CONFIGURED);
    expect(await world.send(key)).toEqual(DONE);
    expect(world.stateOf(key)).toMatchObject({
      status: "skipped",
      lastError: "EMAIL_FROM is empty",
      attempts: 0,
      claim: null,
      letters: 0,
    });
    const [line] = world.log.lines;
    expect(line).toMatch(/^info notice preview .*"preview":"/);
    expect(line).toContain(words);
    expect(line).not.toContain("SECRET");
  });

  it("N7: fails a rejected notice at once, with its reason in the log and in Postgres", async () => {
    const key = world.hasDelivery();
    world.provider.answers(REJECTED);
    expect(await world.send(key)).toEqual(DONE);
    expect(world.stateOf(key)).toMatchObject({
      status: "failed",
      lastError: "403 invalid_token",
      attempts: 1,
      letters: 0,
    });
    expect(world.log.lines[0]).toMatch(/^error notice rejected .*"why":"403 invalid_token"/);
    expect(await world.send(key, { messageId: "m2" })).toEqual(DONE);
    expect(world.provider.offers).toHaveLength(1);
  });
});
