// Claims in Upstash Redis. Owns the Redis keys. A slow call throws an Outage, and callers continue without Redis.

import { Redis } from "@upstash/redis/cloudflare";
import * as z from "zod";
import type { TenantId } from "../../budget/tenant.ts";
import { spendRecordJson, spendRecordSchema } from "../../ports/messages.ts";
import { Outage } from "../../ports/outage.ts";
import type { Claims, SharedRead } from "../../ports/ports.ts";
import type { ChannelId } from "../../records/channel.ts";
import type { DeliveryKey } from "../../records/delivery.ts";
import type { IdempotencyClaim, IdempotencyKey } from "../../records/idempotency.ts";

/** Every caller has a path without Redis, which is faster than waiting longer. */
const TIMEOUT_MS = 250;

const IDEMPOTENCY_SECONDS = 86_400;

/** The key of a request that died is free after this time; no request runs longer. */
const RUNNING_SECONDS = 60;

/** Longer than the time-out of a provider. The claim of a consumer that died while sending expires after it. */
const SENDING_SECONDS = 60;

/** No message of the same notice is queued for longer than this. */
const SENT_SECONDS = 3_600;

/** After its last turn a key only needs to outlive the difference of clocks. */
const TURN_KEPT_MS = 60_000;

const scheduledReadKey = (tenantId: TenantId, name: string) => `read-due:${tenantId}:${name}`;
const noticeKey = ({ alertId, channelId }: DeliveryKey) => `notice:${alertId}:${channelId}`;
const turnKey = (channelId: ChannelId, priority: string) => `pace:${channelId}:${priority}`;
const readKey = (tenantId: TenantId, colo: string, seconds: number) => `read:${tenantId}:${colo}:${seconds}`;

/**
 * Keeps a held turn unless a critical one came since; else gives the first turn after `notBefore`, the channel's last
 * one and the last critical one. Answers text, because Lua writes large numbers in scientific notation.
 */
const RESERVE_TURN = `
local critical = tonumber(redis.call('GET', KEYS[2]) or '0')
local held = tonumber(ARGV[3])
if held > 0 and critical <= held then return string.format('%.0f', held) end
local at = math.max(tonumber(ARGV[1]), critical, tonumber(redis.call('GET', KEYS[1]) or '0'))
local next = string.format('%.0f', at + tonumber(ARGV[2]))
redis.call('SET', KEYS[1], next, 'PXAT', string.format('%.0f', at + ${TURN_KEPT_MS}))
return string.format('%.0f', at)`;

const idempotencyKey = ({ actor, route, key }: IdempotencyKey) => `idempotency:${actor}:${route}:${key}`;

/** A read beside its claim. Any other value, such as that of a claim without a read yet, is none. */
const sharedRead = z
  .object({ subject_id: z.string(), spend: spendRecordSchema })
  .transform(({ subject_id: subjectId, spend }): SharedRead => ({ subjectId, spend }));

function sharedReadJson({ subjectId, spend }: SharedRead): z.input<typeof sharedRead> {
  return { subject_id: subjectId, spend: spendRecordJson(spend) };
}

interface Running {
  readonly body_hash: string;
  readonly answer: { readonly status: number; readonly body: unknown } | null;
}

export function upstashClaims(options: { url: string; token: string; timeoutMs?: number }): Claims {
  // Created on first use: most checks claim nothing, and creating the client would cost more than the rest of the
  // check.
  let made: Redis | null = null;
  const redis = (): Redis => {
    made ??= connectRedis(options);
    return made;
  };
  const guarded = async <T>(what: string, work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      throw new Outage("redis", what, cause);
    }
  };

  return {
    async claimRead({ tenantId, colo, seconds }) {
      const options = { nx: true, get: true, ex: seconds } as const;
      const present = await guarded("claim a read", redis().set<unknown>(readKey(tenantId, colo, seconds), 1, options));
      if (present === null) return "claimed";
      return sharedRead.safeParse(present).data ?? "pending";
    },

    async shareRead({ tenantId, colo, seconds }, read, leftMs) {
      const value = sharedReadJson(read);
      await guarded("share a read", redis().set(readKey(tenantId, colo, seconds), value, { xx: true, px: leftMs }));
    },

    async claimIdempotency(key, bodyHash): Promise<IdempotencyClaim> {
      const running: Running = { body_hash: bodyHash, answer: null };
      const claim = redis().set(idempotencyKey(key), running, { nx: true, ex: RUNNING_SECONDS });
      if ((await guarded("claim an idempotency key", claim)) === "OK") return { kind: "claimed" };
      const present = await guarded("read an idempotency key", redis().get<Running>(idempotencyKey(key)));
      if (present === null) return { kind: "running" };
      if (present.body_hash !== bodyHash) return { kind: "other_body" };
      return present.answer === null ? { kind: "running" } : { kind: "done", answer: present.answer };
    },

    async finishIdempotency(key, bodyHash, answer) {
      const done: Running = { body_hash: bodyHash, answer };
      const write =
        answer === null
          ? redis().del(idempotencyKey(key))
          : redis().set(idempotencyKey(key), done, { ex: IDEMPOTENCY_SECONDS });
      await guarded("finish an idempotency key", write as Promise<unknown>);
    },

    async scheduledReadAt(tenantId, name) {
      return guarded("look for a read", redis().get<number>(scheduledReadKey(tenantId, name)));
    },

    async noteScheduledRead(tenantId, name, dueAt, seconds) {
      await guarded("note a read", redis().set(scheduledReadKey(tenantId, name), dueAt, { ex: seconds }));
    },

    async claimNotice(key, messageId) {
      const mine = `sending:${messageId}`;
      const claim = redis().set(noticeKey(key), mine, { nx: true, ex: SENDING_SECONDS });
      if ((await guarded("claim a notice", claim)) === "OK") return "claimed";
      const present = await guarded("read a notice's claim", redis().get<string>(noticeKey(key)));
      if (present === "sent") return "sent";
      return present === mine ? "claimed" : "sending";
    },

    async noteNoticeSent(key) {
      await guarded("note a sent notice", redis().set(noticeKey(key), "sent", { ex: SENT_SECONDS }));
    },

    async releaseNotice(key) {
      await guarded("release a notice", redis().del(noticeKey(key)));
    },

    async reserveTurn({ channelId, priority, held, notBefore, intervalMs }) {
      const turn = redis().eval<[number, number, number], unknown>(
        RESERVE_TURN,
        [turnKey(channelId, priority), turnKey(channelId, "critical")],
        [notBefore, intervalMs, held ?? 0],
      );
      return Number(await guarded("reserve a turn", turn));
    },

    async ping() {
      await guarded("ping", redis().ping());
    },
  };
}

function connectRedis(options: { url: string; token: string; timeoutMs?: number }): Redis {
  const { timeoutMs = TIMEOUT_MS, ...server } = options;
  return new Redis({
    ...server,
    enableAutoPipelining: false,
    enableTelemetry: false,
    retry: { retries: 0 },
    // A function, because with a plain signal the client answers a time-out with null, which would mean "already
    // claimed".
    signal: () => AbortSignal.timeout(timeoutMs),
  });
}
