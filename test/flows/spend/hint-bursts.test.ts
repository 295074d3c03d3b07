// Bursts of hints against a LiteLLM whose database is late, with the real consumer in virtual time: whatever is
// redelivered, fails or is lost, the last hint is followed by a read that shows its spend, and reads stay few.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OnePostgres } from "../../../bench/overshoot/one-tenant.ts";
import { IsolateMemory } from "../../../src/adapters/cloudflare/isolate-memory.ts";
import { realTimers } from "../../../src/adapters/cloudflare/timers.ts";
import { decimalFromNanoUsd } from "../../../src/budget/money.ts";
import { recordSpend } from "../../../src/flows/spend/record-spend.ts";
import type { SpendMessage } from "../../../src/ports/messages.ts";
import type { Alerts, PlatformAlerts } from "../../../src/ports/notice-stores.ts";
import type { Cipher, LiteLlm } from "../../../src/ports/ports.ts";
import { failure, success } from "../../../src/ports/result.ts";
import type { TenantKeys } from "../../../src/ports/stores.ts";
import { aSpendRecord, aTenantConfig, MINUTE, NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf, idOf, incomingOf } from "../../support/builders/builders.ts";
import { SeededRandom } from "../../support/builders/seeded-random.ts";
import { aCall, aWebhook } from "../../support/builders/spend-messages.ts";
import { TimedClaims } from "../../support/fakes/fake-claims.ts";
import { aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { FakeNoticeQueue } from "../../support/fakes/fake-notice-queue.ts";
import { FakeSnapshots } from "../../support/fakes/fake-snapshots.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";
import { unusedPort } from "../../support/faults/unused-port.ts";
import { POLICY } from "../../support/worlds/check-world.ts";

const KEY = hashOf("a");
/** Far above the spend: no read but those of hints. */
const CONFIG = aTenantConfig({ maxBudgetNanoUsd: usd("1000000"), subject: { kind: "key", id: KEY } });

interface Run {
  readonly random: SeededRandom;
  /** When calls of $1 end; each is a hint. */
  readonly callsAt: readonly number[];
  readonly databaseLagMs: number;
  readonly isRedisAway: boolean;
  /** The share of reads that fail in the first two minutes. */
  readonly failing: number;
}

async function play({ random, callsAt, databaseLagMs, isRedisAway, failing }: Run) {
  let now = NOW;
  const spendAt = (at: number) => usd(String(callsAt.filter((endedAt) => endedAt <= at).length));
  const queue: { body: SpendMessage; messageId: string; dueAt: number; isRedelivery: boolean }[] = [];
  const reads: number[] = [];
  const answered: number[] = [];
  let messages = 0;
  const send = async (body: SpendMessage, delaySeconds = 0) => {
    // The rows of this LiteLLM say nothing of the desired state.
    if (body.kind === "sync_litellm") return;
    const dueAt = now + delaySeconds * SECOND + random.below(1_500);
    const message = { body, messageId: `m${messages++}`, isRedelivery: false };
    queue.push({ ...message, dueAt });
    if (random.chance(0.1)) queue.push({ ...message, dueAt: dueAt + random.below(30 * SECOND), isRedelivery: true });
  };
  const postgres = new OnePostgres(CONFIG, aSpendRecord({ spendNanoUsd: 0n, observedAt: NOW, readAt: NOW - MINUTE }));
  const claims = new TimedClaims(() => now);
  claims.isAway = isRedisAway;
  const litellm: Partial<LiteLlm> = {
    readSubject: async (subject) => {
      reads.push(now);
      const begunAt = now;
      const isFailing = now < NOW + 2 * MINUTE && random.chance(failing);
      if (isFailing) return failure({ kind: "unreachable", why: "HTTP 500" });
      answered.push(now);
      return success(aLiteLlmRow({ subject, spendNanoUsd: spendAt(now - databaseLagMs), begunAt, answeredAt: now }));
    },
  };
  const log = new RecordedLog();
  const deps = {
    tenants: postgres.tenants,
    tenantKeys: unusedPort<TenantKeys>("tenantKeys"),
    ledgers: postgres.ledgers,
    spendBatches: postgres.spendBatches,
    litellm: litellm as LiteLlm,
    claims,
    memory: new IsolateMemory(),
    snapshots: new FakeSnapshots(),
    spendQueue: { send, sendAll: () => Promise.reject(new Error("not expected")) },
    noticeQueue: new FakeNoticeQueue(),
    platformAlerts: unusedPort<PlatformAlerts>("platformAlerts"),
    alerts: { ...unusedPort<Alerts>("alerts"), record: async () => ({ announced: 0, deliveries: [] }) },
    cipher: unusedPort<Cipher>("cipher"),
    timers: realTimers,
    policy: POLICY,
    log,
  };
  for (const at of callsAt) {
    now = at;
    const spend = random.chance(0.5) ? decimalFromNanoUsd(spendAt(at)) : null;
    const webhook = aWebhook(KEY, spend, { auth: "url_token", received_at: at, sent_at: at });
    await send(random.chance(0.5) ? aCall(KEY, null, { endedAt: at }) : webhook);
  }
  while (queue.length > 0) {
    now = Math.max(now === callsAt.at(-1) ? NOW : now, Math.min(...queue.map(({ dueAt }) => dueAt)));
    const due = queue.filter(({ dueAt }) => dueAt <= now);
    queue.splice(0, queue.length, ...queue.filter(({ dueAt }) => dueAt > now));
    const incoming = due.map(({ body, messageId, isRedelivery }) => incomingOf(body, { messageId, isRedelivery }));
    expect(await recordSpend({ incoming, now }, deps)).toEqual(new Set());
  }
  const known = (await postgres.tenants.load(idOf("acme")))?.spend?.spendNanoUsd;
  return { known, truth: spendAt(now), reads, answered, messages, lastHintAt: callsAt.at(-1) ?? NOW };
}

/** The largest number of reads within any minute. */
const mostInAMinute = (reads: readonly number[]) =>
  Math.max(...reads.map((from) => reads.filter((at) => at >= from && at < from + MINUTE).length));

function burstsFrom(random: SeededRandom): number[] {
  let at = NOW;
  return Array.from({ length: 1 + random.below(4) }, () => {
    at += random.below(40 * SECOND);
    return Array.from({ length: 1 + random.below(15) }, () => {
      at += 100 + random.below(6 * SECOND);
      return at;
    });
  }).flat();
}

describe("a burst of hints", () => {
  it("leads to a read that shows the last one's spend, whatever fails, is redelivered or is lost", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.boolean(), fc.constantFrom(0, 0.5, 1), async (seed, isRedisAway, failing) => {
        const random = new SeededRandom(seed);
        const run = { random, callsAt: burstsFrom(random), databaseLagMs: random.below(25 * SECOND) };
        const { known, truth, reads, answered, lastHintAt } = await play({ ...run, isRedisAway, failing });
        expect(known).toBe(truth);
        expect(mostInAMinute(reads)).toBeLessThanOrEqual(12);
        const lateEnough = answered.find((at) => at >= lastHintAt + 25 * SECOND) ?? Number.POSITIVE_INFINITY;
        // The group of its five seconds, five more between reads, and the queue's own delays.
        if (failing === 0) expect(lateEnough - lastHintAt).toBeLessThanOrEqual(42 * SECOND);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it.each([false, true])(
    "costs at most 12 reads a minute, however many hints arrive: Redis away %s",
    async (isAway) => {
      const callsAt = Array.from({ length: 600 }, (_, index) => NOW + index * 500);
      const run = { random: new SeededRandom(7), callsAt, databaseLagMs: 15 * SECOND, isRedisAway: isAway, failing: 0 };
      const { known, truth, reads, messages } = await play(run);
      expect(known).toBe(truth);
      expect(mostInAMinute(reads)).toBeLessThanOrEqual(12);
      // Twelve groups a minute, with a few messages each.
      expect((messages - callsAt.length) / 5).toBeLessThanOrEqual(12 * 6);
    },
  );
});
