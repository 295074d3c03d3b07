// A batch of notices in virtual time: a slow or silent receiver delays nobody else's notice.

import { beforeEach, describe, expect, it } from "vitest";
import type { MessageOutcome } from "../../../src/flows/notices/record-attempt.ts";
import { sendBatch } from "../../../src/flows/notices/send-batch.ts";
import type { ChannelKind, ChannelRecord } from "../../../src/records/channel.ts";
import type { DeliveryKey, SendOutcome } from "../../../src/records/delivery.ts";
import { NOW, SECOND } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { aDispatch, alertIdOf, channelIdOf } from "../../support/builders/notice-builders.ts";
import { failed, SENT, UNANSWERED } from "../../support/fakes/fake-notifier.ts";
import { NoticeWorld } from "../../support/worlds/notice-world.ts";

/** How long a receiver takes, and how its attempt ends. */
type Behaviour = readonly [ms: number, outcome: SendOutcome];

const HANGS: Behaviour = [10_000, UNANSWERED];
const FAST: Behaviour = [100, SENT];

let world: NoticeWorld;
let behaviours: Map<string, Behaviour>;
/** When each channel's attempts began, in milliseconds. */
let begun: Map<string, number[]>;
beforeEach(() => {
  world = new NoticeWorld();
  behaviours = new Map();
  begun = new Map();
});

function has(number: number, kind: ChannelKind, behaviour: Behaviour, more: Partial<ChannelRecord> = {}, attempts = 0) {
  const url = `https://hooks.example/${number}`;
  behaviours.set(url, behaviour);
  const encryptedTarget = JSON.stringify({ kind, url, secret: "whsec_x" });
  const channel = { id: channelIdOf(number), kind, tenantId: idOf(`t${number}`), encryptedTarget, ...more };
  return world.has(aDispatch({ channel, delivery: { attempts } }));
}

async function receive(url: string): Promise<SendOutcome> {
  const [ms, outcome] = behaviours.get(url) ?? FAST;
  begun.set(url, [...(begun.get(url) ?? []), world.timers.elapsedMs]);
  await world.timers.after(ms).passed;
  return outcome;
}

async function deliver(keys: readonly DeliveryKey[]) {
  const ends = new Map<DeliveryKey, MessageOutcome>();
  const notices = keys.map((key, index) => ({
    key,
    messageId: `m${index}`,
    end: async (outcome: MessageOutcome) => void ends.set(key, outcome),
    fail: (cause: unknown) => {
      throw cause;
    },
  }));
  const notifier = { ...world.provider.port, slack: receive, webhook: receive };
  const deps = { ...world.deps(), notifier, clock: () => NOW + world.timers.elapsedMs };
  await world.timers.runUntil(sendBatch({ notices, queue: "bursar-notices", random: () => 0 }, deps));
  return keys.map((key) => ends.get(key));
}
const begunAt = (number: number) => begun.get(`https://hooks.example/${number}`) ?? [];

describe("a batch", () => {
  it("sends to Slack at once beside nine slow webhooks, of which four run at a time", async () => {
    const slow = Array.from({ length: 9 }, (_, index) => has(index + 1, "webhook", [5_000, SENT]));
    const slack = has(10, "slack", FAST);
    const ends = await deliver([...slow, slack]);
    expect(begunAt(10)).toEqual([0]);
    const starts = Array.from({ length: 9 }, (_, index) => begunAt(index + 1)[0]);
    expect(starts).toEqual([0, 0, 0, 0, 5_000, 5_000, 5_000, 5_000, 10_000]);
    expect(ends.map((end) => end?.kind)).toEqual(Array(10).fill("done"));
  });

  it("sends another tenant's notice at once beside thirty hanging channels of one tenant", async () => {
    const tenantId = idOf("silent");
    const hanging = Array.from({ length: 30 }, (_, index) => has(index + 1, "slack", HANGS, { tenantId }));
    const other = has(31, "slack", FAST);
    const ends = await deliver([...hanging, other]);
    expect(begunAt(31)).toEqual([0]);
    expect(ends.at(-1)).toEqual({ kind: "done" });
    // Two rounds of three begin within 12 s. The rest goes back, and no attempt of it counts.
    expect(ends.filter((end) => end?.kind === "retry")).toHaveLength(6);
    const back = { kind: "requeue", delaySeconds: 2, why: "the batch has no time left" };
    expect(ends.filter((end) => end?.kind === "requeue")).toEqual(Array(24).fill(back));
    expect(world.postgres.of(hanging[29] as DeliveryKey).attempts).toBe(0);
    expect(world.timers.elapsedMs).toBe(20_000);
  });

  it("sends one notice at a time to a channel, and first attempts before retries", async () => {
    const channel = { tenantId: null };
    const keys = [has(1, "webhook", FAST, channel, 2), has(2, "webhook", FAST, channel, 0)];
    const again = world.has(
      aDispatch({
        alert: { id: "another" as never },
        channel: {
          ...channel,
          id: channelIdOf(2),
          kind: "webhook",
          encryptedTarget: JSON.stringify({ kind: "webhook", url: "https://hooks.example/2", secret: "s" }),
        },
      }),
    );
    await deliver([...keys, again]);
    expect(begunAt(2)).toEqual([0, 100]);
    expect([...begun.keys()]).toEqual(["https://hooks.example/2", "https://hooks.example/1"]);
  });

  it("ends the message of a delivery that is over or does not exist, and loads all of them at once", async () => {
    const sent = world.has(aDispatch({ delivery: { status: "sent" } }));
    const unknown = { ...sent, channelId: channelIdOf(9) };
    expect(await deliver([sent, unknown])).toEqual([{ kind: "done" }, { kind: "done" }]);
    expect(world.deliveries.calls("load")).toBe(1);
  });
});

it("fails the message of an unreadable delivery alone", async () => {
  const [bad, good] = [has(1, "webhook", FAST), has(2, "webhook", FAST)];
  world.postgres.damage(bad);
  const ends: unknown[] = [];
  const notices = [bad, good].map((key) => ({
    key,
    messageId: key.channelId,
    end: async (outcome: MessageOutcome) => void ends.push(outcome),
    fail: (cause: unknown) => void ends.push(cause),
  }));
  const deps = { ...world.deps(), clock: () => NOW };
  await world.timers.runUntil(sendBatch({ notices, queue: "bursar-notices", random: () => 0 }, deps));
  expect(ends).toEqual([new Error("unreadable"), { kind: "done" }]);
});

describe("a channel that does not answer", () => {
  const SILENT = "the channel does not answer";

  it("rests for half a minute after three attempts, which count as failed, and is then tried once", async () => {
    const keys = Array.from({ length: 6 }, (_, index) => {
      has(1, "webhook", HANGS);
      return world.has(
        aDispatch({
          alert: { id: `alert ${index}` as never },
          channel: {
            id: channelIdOf(1),
            kind: "webhook",
            encryptedTarget: JSON.stringify({ kind: "webhook", url: "https://hooks.example/1", secret: "s" }),
          },
        }),
      );
    });
    behaviours.set("https://hooks.example/1", [1_000, UNANSWERED]);
    await deliver(keys);
    expect(begunAt(1)).toEqual([0, 1_000, 2_000]);
    const errors = keys.map((key) => world.postgres.of(key).lastError);
    expect(errors).toEqual([...Array(3).fill("no answer in time"), ...Array(3).fill(SILENT)]);
    // What was tried may have arrived; what was not tried did not.
    expect(keys.map((key) => world.postgres.open.get(`${key.alertId} ${key.channelId}`) ?? 0)).toEqual([
      1, 1, 1, 0, 0, 0,
    ]);
    await world.timers.pass(30 * SECOND);
    behaviours.set("https://hooks.example/1", FAST);
    await deliver(keys);
    expect(begunAt(1)).toHaveLength(9);
    expect(keys.map((key) => world.postgres.of(key).status)).toEqual(Array(6).fill("sent"));
  });

  it("says nothing of an earlier attempt, which may have arrived", async () => {
    const target = JSON.stringify({ kind: "webhook", url: "https://hooks.example/1", secret: "s" });
    const channel = { id: channelIdOf(1), kind: "webhook", encryptedTarget: target } as const;
    const keys = [1, 2, 3].map((number) => world.has(aDispatch({ alert: { id: alertIdOf(number) }, channel })));
    behaviours.set("https://hooks.example/1", [1_000, UNANSWERED]);
    await deliver(keys);
    await world.timers.pass(13 * SECOND);
    await deliver(keys);
    expect(keys.map((key) => world.postgres.of(key).lastError)).toEqual(Array(3).fill(SILENT));
    expect(keys.map((key) => world.postgres.open.get(`${key.alertId} ${key.channelId}`))).toEqual([1, 1, 1]);
  });

  it("counts no error as silence: every notice is offered to a channel that answers one", async () => {
    const target = JSON.stringify({ kind: "webhook", url: "https://hooks.example/1", secret: "s" });
    const channel = { id: channelIdOf(1), kind: "webhook", encryptedTarget: target } as const;
    const keys = [1, 2, 3, 4, 5].map((number) => world.has(aDispatch({ alert: { id: alertIdOf(number) }, channel })));
    behaviours.set("https://hooks.example/1", [100, failed("status 500")]);
    await deliver(keys);
    expect(begunAt(1)).toHaveLength(5);
    expect(keys.map((key) => world.postgres.of(key).lastError)).toEqual(Array(5).fill("status 500"));
  });
});
