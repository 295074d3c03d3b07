// Notices inside workerd, from the queue to the inbox, on real Postgres, Redis and the real Queues binding.

import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { realTimers } from "../../src/adapters/cloudflare/timers.ts";
import { upstashClaims } from "../../src/adapters/redis/upstash-claims.ts";
import worker from "../../src/worker.ts";
import { ELSEWHERE, query, recordConsole } from "./bursar.ts";
import { deliver } from "./deliver.ts";
import {
  deliveryOf,
  inboxFails,
  inboxOf,
  MARKER,
  makeDue,
  type SeededNotice,
  seedNotice,
  seedPlatformNotice,
} from "./notice-rows.ts";

const QUEUE = { queue: "bursar-notices" };
const SOON = { timeout: 60_000, interval: 100 };

/** How long a notice waits for its claim in Redis before it is sent without one. */
const CLAIM_MS = 250;

/** Waits long for claims, because Redis on a busy machine may answer late: then N5 holds, and not these rules. */
function waitForClaims(): void {
  const { after } = realTimers;
  vi.spyOn(realTimers, "after").mockImplementation((ms) => after(ms === CLAIM_MS ? 20_000 : ms));
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => timeout(ms === CLAIM_MS ? 20_000 : ms));
}

let logged: ReturnType<typeof recordConsole>;
beforeEach(() => {
  waitForClaims();
  logged = recordConsole();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await inboxFails(null);
  const lines = JSON.stringify(logged);
  vi.unstubAllGlobals();
  expect(lines).not.toContain(MARKER);
});

const arrivedOf = async (notice: SeededNotice) => (await inboxOf(notice)).filter(({ accepted }) => accepted);
const letterOf = async ({ key }: SeededNotice) =>
  (await query(`select id, queue, attempts, error from dead_letters where body->>'alert_id' = '${key.alertId}'`))[0];

describe("a notice", () => {
  it.each(["slack", "email", "webhook"] as const)("sends a notice to a channel of kind %s once", async (kind) => {
    const notice = await seedNotice(kind);
    expect((await deliver([notice.message], QUEUE)).acked).toEqual([0]);
    expect((await deliver([notice.message, notice.message], QUEUE)).acked).toEqual([0, 1]);
    expect(await arrivedOf(notice)).toMatchObject([{ kind }]);
    expect(await deliveryOf(notice)).toMatchObject({ status: "sent", attempts: 1, is_sent: true, last_error: null });
  });

  it.each(["slack", "email", "webhook"] as const)(
    "sends a platform notice to a channel of kind %s once",
    async (kind) => {
      const notice = await seedPlatformNotice(kind);
      expect((await deliver([notice.message, notice.message], QUEUE)).acked).toContain(0);
      expect((await deliver([notice.message], QUEUE)).acked).toEqual([0]);
      expect(await arrivedOf(notice)).toMatchObject([{ kind }]);
      expect(await deliveryOf(notice)).toMatchObject({ status: "sent", attempts: 1 });
      await query(`delete from notification_channels where id = '${notice.key.channelId}'`);
    },
  );

  it("signs an event, and keeps its id over all attempts", async () => {
    const notice = await seedNotice("webhook");
    await inboxFails({ kind: "webhook", how: { status: 500 }, times: 1 });
    await deliver([notice.message], QUEUE);
    await makeDue(notice);
    await deliver([notice.message], QUEUE);
    const ids = (await inboxOf(notice)).map(({ headers }) => headers["webhook-id"]);
    expect(ids).toEqual([ids[0], ids[0]]);
    expect(ids[0]).toContain(notice.key.alertId);
  });

  it("N6: sends one of ten concurrent messages, and retries the others later", async () => {
    const notice = await seedNotice();
    const { acked, retried, delays } = await deliver(Array(10).fill(notice.message), QUEUE);
    expect(await arrivedOf(notice)).toHaveLength(1);
    expect([...acked, ...retried]).toHaveLength(10);
    expect(delays.filter((seconds) => seconds !== 30)).toEqual([]);
    expect((await deliver(Array(10).fill(notice.message), QUEUE)).acked).toHaveLength(10);
    expect(await arrivedOf(notice)).toHaveLength(1);
  });

  it("retries after half a minute while another message is sending it", async () => {
    const notice = await seedNotice();
    const redis = upstashClaims({ url: env.UPSTASH_REDIS_REST_URL, token: env.UPSTASH_REDIS_REST_TOKEN });
    await redis.claimNotice(notice.key, "another");
    const { retried, delays } = await deliver([notice.message], QUEUE);
    expect([retried, delays, await inboxOf(notice)]).toEqual([[0], [30], []]);
    await redis.noteNoticeSent(notice.key);
    expect((await deliver([notice.message], QUEUE)).acked).toEqual([0]);
    expect(await deliveryOf(notice)).toMatchObject({ status: "sent" });
    expect(await inboxOf(notice)).toEqual([]);
  });

  it("N5: sends without Redis, and logs that", async () => {
    const notice = await seedNotice();
    const bindings = { UPSTASH_REDIS_REST_URL: `${ELSEWHERE}/nowhere` };
    expect((await deliver([notice.message], { ...QUEUE, bindings })).acked).toEqual([0]);
    expect(await arrivedOf(notice)).toHaveLength(1);
    expect(await deliveryOf(notice)).toMatchObject({ status: "sent" });
    expect(logged.error).toContainEqual(expect.objectContaining({ event: "notice claim failed" }));
  });

  it("N4: logs a preview and skips the delivery when e-mail is not configured", async () => {
    const notice = await seedNotice("email");
    expect((await deliver([notice.message], { ...QUEUE, bindings: { EMAIL_FROM: "" } })).acked).toEqual([0]);
    expect(await deliveryOf(notice)).toMatchObject({ status: "skipped", attempts: 0 });
    expect(logged.log).toContainEqual(
      expect.objectContaining({ event: "notice preview", preview: expect.stringContaining(notice.tenantId) }),
    );
    expect(await inboxOf(notice)).toEqual([]);
  });
});

describe("a provider that fails", () => {
  it("retries when due, not before, after 500", async () => {
    const notice = await seedNotice("webhook");
    await inboxFails({ kind: "webhook", how: { status: 500 }, times: 1 });
    const first = await deliver([notice.message], QUEUE);
    expect(first.retried).toEqual([0]);
    const [seconds = 0] = first.delays;
    expect(seconds).toBeGreaterThanOrEqual(10);
    expect(seconds).toBeLessThanOrEqual(13);
    expect(await deliveryOf(notice)).toMatchObject({ status: "pending", attempts: 1, waits: seconds });
    // A message that comes early is sent to the queue again.
    expect((await deliver([notice.message], QUEUE)).acked).toEqual([0]);
    expect(await arrivedOf(notice)).toEqual([]);
    await makeDue(notice);
    expect((await deliver([notice.message], QUEUE)).acked).toEqual([0]);
    expect(await arrivedOf(notice)).toHaveLength(1);
    expect(await deliveryOf(notice)).toMatchObject({ status: "sent", attempts: 2 });
  });

  it("waits after 429 as long as the provider asks, which is no attempt and no retry of the queue", async () => {
    const notice = await seedNotice();
    await inboxFails({ kind: "slack", how: { status: 429, retryAfter: "90" }, times: 1 });
    expect((await deliver([notice.message], QUEUE)).acked).toEqual([0]);
    const waiting = await deliveryOf(notice);
    expect(waiting).toMatchObject({ status: "pending", attempts: 0 });
    expect(waiting?.["waits"]).toBeGreaterThanOrEqual(90);
    await makeDue(notice);
    expect((await deliver([notice.message], QUEUE)).acked).toEqual([0]);
    expect(await deliveryOf(notice)).toMatchObject({ status: "sent", attempts: 1 });
  });

  it("N7: does not retry after a 403, and sends the other notices of the batch once", async () => {
    const [broken, fine, good] = [await seedNotice("slack"), await seedNotice("email"), await seedNotice("webhook")];
    await inboxFails({ kind: "slack", how: { status: 403 } });
    const { acked } = await deliver([broken.message, fine.message, good.message], QUEUE);
    expect(acked).toEqual([0, 1, 2]);
    expect(await deliveryOf(broken)).toMatchObject({ status: "failed", last_error: expect.stringContaining("403") });
    expect(logged.error).toContainEqual(
      expect.objectContaining({ event: "notice rejected", alert_id: broken.key.alertId, why: expect.any(String) }),
    );
    expect([(await arrivedOf(fine)).length, (await arrivedOf(good)).length]).toEqual([1, 1]);
  });

  it("leaves a dead letter after six failures, and a replay sends the notice", async () => {
    const notice = await seedNotice("slack", 5);
    await inboxFails({ kind: "slack", how: { status: 503 } });
    expect((await deliver([notice.message], QUEUE)).acked).toEqual([0]);
    expect(await deliveryOf(notice)).toMatchObject({ status: "failed", attempts: 6 });
    const letter = await letterOf(notice);
    expect(letter).toMatchObject({ queue: "bursar-notices", attempts: 6 });
    await inboxFails(null);
    expect(await replay(String(letter?.["id"]))).toBe(200);
    await vi.waitFor(async () => expect(await deliveryOf(notice)).toMatchObject({ status: "sent", attempts: 1 }), SOON);
    expect(await arrivedOf(notice)).toHaveLength(1);
  });
});

describe("the queues", () => {
  it("delivers a sent message", async () => {
    const notice = await seedNotice("webhook");
    await env.NOTICES_QUEUE.send(notice.message);
    await vi.waitFor(async () => expect(await deliveryOf(notice)).toMatchObject({ status: "sent" }), SOON);
    expect(await arrivedOf(notice)).toHaveLength(1);
  });

  it("records a dead letter, and replays it to its own queue", async () => {
    const notice = await seedNotice();
    expect((await deliver([notice.message], { queue: "bursar-notices-dead" })).acked).toEqual([0]);
    expect(await inboxOf(notice)).toEqual([]);
    const letter = await letterOf(notice);
    expect(letter).toMatchObject({ queue: "bursar-notices-dead", error: "gave up after the last retry" });
    expect(await replay(String(letter?.["id"]))).toBe(200);
    await vi.waitFor(async () => expect(await deliveryOf(notice)).toMatchObject({ status: "sent" }), SOON);
  });

  it("records a poison message without delaying others", async () => {
    const notice = await seedNotice();
    const poison = [null, "text", { kind: "notice" }, { ...notice.message, channel_id: "" }, { kind: "observed" }];
    const { ids, acked } = await deliver([...poison, notice.message], QUEUE);
    expect(acked).toEqual([0, 1, 2, 3, 4, 5]);
    const letters = await query(`select body, queue, error from dead_letters
      where message_id in (${ids.map((id) => `'${id}'`)})`);
    expect(letters).toHaveLength(poison.length);
    expect(new Set(letters.map(({ queue, error }) => `${queue}: ${error}`))).toEqual(
      new Set(["bursar-notices: not a notice"]),
    );
    expect(await arrivedOf(notice)).toHaveLength(1);
  });

  it("acknowledges a notice with unknown ids", async () => {
    const strangers = [
      { kind: "notice", alert_id: crypto.randomUUID(), channel_id: crypto.randomUUID() },
      { kind: "notice", alert_id: "'; drop table", channel_id: "\0" },
    ];
    expect((await deliver(strangers, QUEUE)).acked).toEqual([0, 1]);
  });

  it("retries every message with backoff while Postgres is down, and sends nothing", async () => {
    const notice = await seedNotice();
    const bindings = { NEON_ENDPOINT: ELSEWHERE };
    const { acked, retried, delays } = await deliver([notice.message, null], { ...QUEUE, bindings, attempts: 3 });
    expect([acked, retried, delays]).toEqual([[], [0, 1], [20, 20]]);
    expect(await inboxOf(notice)).toEqual([]);
  });
});

/** The status of a replay. */
async function replay(id: string): Promise<number> {
  const [token] = env.ADMIN_TOKENS.split(",").map((each) => each.split("=")[1]);
  const request = new Request(`https://bursar.test/v1/dead-letters/${id}/replay`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
  });
  const response = await worker.fetch(request, env, createExecutionContext());
  await response.text();
  return response.status;
}
