// Remembers idempotency keys as Resend does: for 24 hours, and only those of accepted calls.

import { BoundedMap, SMALL_ENTRY_BYTES } from "../../../src/adapters/cloudflare/bounded-map.ts";

const KEPT_MS = 24 * 60 * 60 * 1_000;
const SEEN_BYTES = 20_000_000;

/** `again`: the same call, with the id of the first one. `other`: the key was used with another body. */
export type Loaded = { kind: "new" } | { kind: "again"; id: string } | { kind: "other" };

export interface IdempotencyMemory {
  recall(key: string, rawBody: string, nowMs: number): Loaded;
  remember(key: string, entry: { rawBody: string; id: string; nowMs: number }): void;
  forget(): void;
}

export function createIdempotencyMemory(): IdempotencyMemory {
  const seen = new BoundedMap<string, { rawBody: string; id: string; nowMs: number }>(
    SEEN_BYTES,
    ({ rawBody }) => SMALL_ENTRY_BYTES + rawBody.length,
  );
  return {
    recall(key, rawBody, nowMs) {
      const before = seen.get(key);
      if (before === undefined || nowMs - before.nowMs >= KEPT_MS) return { kind: "new" };
      return before.rawBody === rawBody ? { kind: "again", id: before.id } : { kind: "other" };
    },
    remember: (key, entry) => void seen.set(key, entry),
    forget: () => seen.clear(),
  };
}
