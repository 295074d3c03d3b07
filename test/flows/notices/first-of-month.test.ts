// The first of a month, played short: every notice is sent, and every block is told within a minute.

import { expect, it } from "vitest";
import { playMonth } from "../../../bench/resets/play.ts";
import { SeededRandom } from "../../support/builders/seeded-random.ts";

it("loses no notice of a month's first minute, and tells every block within a minute", async () => {
  const seeded = new SeededRandom(1);
  const played = await playMonth({ resets: 1_000, blocks: 20, random: () => seeded.next() });
  expect(played).toMatchObject({ lost: 0, deadLetters: 0, digests: 1 });
  expect(played.limited).toBeGreaterThan(0);
  expect(played.slowestBlockSeconds).toBeLessThanOrEqual(60);
});
