// Claims in Upstash Redis. Owns its keys. Slow counts as down: a call throws after its time, and callers go on without.

import { Redis } from "@upstash/redis/cloudflare";
import type { TenantId } from "../budget/tenant.ts";
import { Outage } from "../outage.ts";
import type { Claims, IdempotencyClaim, IdempotencyKey } from "../ports.ts";

/** Anything slower helps nobody: every caller has a way without Redis. */
const TIMEOUT_MS = 250;

const IDEMPOTENCY_SECONDS = 86_400;

/** A request that died in the middle frees its key after this long; no request of ours runs longer. */
const RUNNING_SECONDS = 60;

const refreshKey = (tenantId: TenantId, colo: string, seconds: number) => `refresh:${tenantId}:${colo}:${seconds}`;
const idempotencyKey = ({ actor, route, key }: IdempotencyKey) => `idempotency:${actor}:${route}:${key}`;

interface Running {
  readonly body_hash: string;
  readonly answer: { readonly status: number; readonly body: unknown } | null;
}

export function upstashClaims(options: { url: string; token: string }): Claims {
  // Made on the first use: most checks claim nothing, and making the client costs more than all the rest of them.
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
    async claimRefresh(tenantId, colo, seconds) {
      const key = refreshKey(tenantId, colo, seconds);
      return (await guarded("claim a refresh", redis().set(key, 1, { nx: true, ex: seconds }))) === "OK";
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

    async ping() {
      await guarded("ping", redis().ping());
    },
  };
}

function connectRedis(options: { url: string; token: string }): Redis {
  return new Redis({
    ...options,
    enableAutoPipelining: false,
    enableTelemetry: false,
    retry: { retries: 0 },
    // A function: the client takes a plain signal that fires for an answer of null, which would read as "taken".
    signal: () => AbortSignal.timeout(TIMEOUT_MS),
  });
}
