// How long the inbox remembers an idempotency key.

import { expect, it } from "vitest";
import { createIdempotencyMemory } from "../../dev/inbox/receivers/idempotency.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

it("forgets a key after 24 hours, and not a millisecond earlier", () => {
  const memory = createIdempotencyMemory();
  memory.remember("k", { rawBody: "{}", id: "first", nowMs: 1_000 });
  expect(memory.recall("k", "{}", 1_000 + DAY_MS - 1)).toEqual({ kind: "again", id: "first" });
  expect(memory.recall("k", "{}", 1_000 + DAY_MS)).toEqual({ kind: "new" });
});
