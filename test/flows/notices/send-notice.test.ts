// One notice to one channel: what is sent, what is written down about it, and what the consumer does with the message.

import { beforeEach, describe, expect, it } from "vitest";
import { aPlatformNotice } from "../../../dev/notices/samples.ts";
import { Outage } from "../../../src/ports/outage.ts";
import { MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { failed, NOT_CONFIGURED, REJECTED } from "../../support/fake-notifier.ts";
import { aDispatch, TARGETS } from "../../support/notice-builders.ts";
import { NoticeWorld } from "../../support/notice-world.ts";

const DONE = { kind: "done" };
const AWAY = new Outage("redis", "away", null);
const IDS = "00000000-0000-4000-8000-000000000001_00000000-0000-4000-8000-000000000001";

let world: NoticeWorld;
beforeEach(() => {
  world = new NoticeWorld();
});

describe("sent", () => {
  it.each([
    ["slack", TARGETS.slack.url, null],
    ["email", TARGETS.email.to.join(), `notice_${IDS}`],
    ["webhook", TARGETS.webhook.url, `notice_${IDS}`],
  ] as const)("through a channel of kind %s: once, to its target, and both stores know", async (kind, to, id) => {
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

  it("also one of the platform's alerts, and the log says which", async () => {
    const { delivery, channel } = aDispatch();
    world.postgres.has({ delivery, channel, ...aPlatformNotice("litellm_out", {}) });
    expect(await world.send(delivery)).toEqual(DONE);
    expect(world.provider.arrived).toMatchObject([{ kind: "slack", to: TARGETS.slack.url }]);
    expect(world.log.lines).toContainEqual(
      expect.stringMatching(/^info notice sent .*"event_type":"platform_litellm_out"/),
    );
  });

  it("a webhook is signed with the channel's secret, as of now, and says what Slack and e-mail say", async () => {
    await world.send(world.hasDelivery("webhook"), { at: SECOND });
    const contents = world.provider.arrived.map(({ content }) => content as { body: string });
    expect(contents).toMatchObject([{ secret: TARGETS.webhook.secret, sentAt: NOW + SECOND }]);
    expect(contents.map(({ body }) => JSON.parse(body).type)).toEqual(["budget.threshold_crossed"]);
  });

  it.each(["sent", "skipped", "failed"] as const)("a delivery that is %s is left alone", async (status) => {
    const key = world.has(aDispatch({ delivery: { status, attempts: 3 } }));
    expect(await world.send(key)).toEqual(DONE);
    expect(world.provider.offers).toEqual([]);
    expect(world.stateOf(key)).toMatchObject({ status, attempts: 3, claim: null });
  });

  it("a delivery whose alert or channel is gone is nothing to do", async () => {
    const { alertId, channelId } = aDispatch().delivery;
    expect(await world.send({ alertId, channelId })).toEqual(DONE);
    expect(world.provider.offers).toEqual([]);
  });

  it("the log tells of it by ids, and no target, seal or secret is in any line", async () => {
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
  it("is sending it: this one comes later, and is not lost", async () => {
    const key = world.hasDelivery();
    await world.redis.claimNotice(key, "other");
    expect(await world.send(key)).toMatchObject({ kind: "later", delaySeconds: 30 });
    expect(world.provider.offers).toEqual([]);
    expect(world.stateOf(key)).toMatchObject({ status: "pending", attempts: 0, claim: "other" });
  });

  it("has sent it and died: it is recorded as sent, and not sent again", async () => {
    const key = world.hasDelivery();
    await world.redis.noteNoticeSent(key);
    expect(await world.send(key, { at: SECOND })).toEqual(DONE);
    expect(world.provider.offers).toEqual([]);
    expect(world.stateOf(key)).toMatchObject({ status: "sent", sentAt: NOW + SECOND });
  });

  it("has failed and waits: this one waits with it", async () => {
    const key = world.has(aDispatch({ delivery: { attempts: 2, nextAttemptAt: NOW + MINUTE } }));
    expect(await world.send(key, { at: 1 })).toMatchObject({ kind: "later", delaySeconds: 60 });
    // A second early is not early.
    expect(await world.send(key, { at: MINUTE - SECOND })).toEqual(DONE);
    expect(world.provider.arrived).toHaveLength(1);
  });

  it("N6: of many at the same time one sends", async () => {
    const key = world.hasDelivery();
    world.notifier.trouble("slack", 2_000);
    const messages = Array.from({ length: 50 }, (_, index) => world.send(key, { messageId: `m${index}` }));
    const ends = (await Promise.all(messages)).map(({ kind }) => kind);
    expect(world.provider.arrived).toHaveLength(1);
    expect([ends.filter((kind) => kind === "done"), ends.filter((kind) => kind === "later")]).toMatchObject([
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
  ] as const)(
    "N5: Redis %s: the notice is sent all the same, after 250 ms at most, and the log says so",
    async (_, trouble) => {
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
    },
  );

  it("just in time is in time", async () => {
    const key = world.hasDelivery();
    await world.redis.claimNotice(key, "other");
    world.claims.trouble("claimNotice", 249);
    expect(await world.send(key)).toMatchObject({ kind: "later" });
  });

  it("down throughout: Postgres knows that it was sent, so nobody sends it again", async () => {
    const key = world.hasDelivery();
    world.redis.isAway = true;
    expect(await world.send(key)).toEqual(DONE);
    expect(await world.send(key, { messageId: "m2" })).toEqual(DONE);
    expect(world.provider.arrived).toHaveLength(1);
  });

  it("does not free a claim that the message does not have", async () => {
    const key = world.hasDelivery();
    await world.redis.claimNotice(key, "other");
    world.claims.trouble("claimNotice", AWAY);
    world.provider.answers(failed());
    await world.send(key);
    expect(world.stateOf(key).claim).toBe("other");
  });
});

describe("Postgres is away", () => {
  it("before the sending: nothing is sent, and the message comes again", async () => {
    const key = world.hasDelivery();
    world.postgres.isAway = true;
    await expect(world.send(key)).rejects.toMatchObject({ dependency: "postgres" });
    expect(world.provider.offers).toEqual([]);
  });

  it("after it: three tries, then the message comes again and finds in Redis that it was sent", async () => {
    const key = world.hasDelivery();
    world.deliveries.trouble("end", new Outage("postgres", "away", null));
    await expect(world.send(key)).rejects.toMatchObject({ dependency: "postgres" });
    expect(world.deliveries.calls("end")).toBe(3);
    world.deliveries.trouble("end", null);
    expect(await world.send(key, { at: MINUTE })).toEqual(DONE);
    expect(world.provider.arrived).toHaveLength(1);
    expect(world.stateOf(key)).toMatchObject({ status: "sent", claim: "sent" });
  });

  it("after it, and Redis too: only then it may come twice, and the log says so", async () => {
    const key = world.hasDelivery();
    world.deliveries.trouble("end", new Outage("postgres", "away", null));
    world.claims.trouble("noteNoticeSent", AWAY);
    await expect(world.send(key)).rejects.toThrow();
    expect(world.claims.calls("noteNoticeSent")).toBe(3);
    expect(world.log.lines.join()).toContain("sent notice recorded in neither store");
  });
});

describe("not sent for good", () => {
  it("a disabled channel is skipped", async () => {
    const key = world.has(aDispatch({ channel: { enabled: false } }));
    expect(await world.send(key)).toEqual(DONE);
    expect(world.provider.offers).toEqual([]);
    expect(world.stateOf(key)).toMatchObject({ status: "skipped", lastError: "the channel is disabled", claim: null });
  });

  it.each([
    ["slack", "acme"],
    ["email", "Acme Inc."],
    ["webhook", '\\"type\\":\\"budget.threshold_crossed\\"'],
  ] as const)(
    "N4: %s not configured: a preview is logged, nothing is thrown, the delivery is skipped",
    async (kind, words) => {
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
    },
  );

  it("N7: what the provider rejects fails at once, with its reason in the log and in Postgres", async () => {
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
