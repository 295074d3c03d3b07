// Behaviour that the embedded Redis adds to the mock it is built on, and that tests over HTTP cannot show.

import { expect, it } from "vitest";
import { createEmbeddedRedis } from "../../dev/upstash/embedded-redis.ts";

it("runs no other command between those of a transaction", async () => {
  const redis = createEmbeddedRedis();
  const increaseTwice = () => redis.runTogether([["INCR", "n"] as const, ["INCR", "n"] as const]);
  const replies = await Promise.all([increaseTwice(), redis.run(["INCR", "n"]), increaseTwice()]);
  expect(replies).toEqual([[{ result: 1 }, { result: 2 }], 3, [{ result: 4 }, { result: 5 }]]);
});

it("goes on after a command that was refused", async () => {
  const redis = createEmbeddedRedis();
  await expect(redis.run(["NOSUCH"])).rejects.toThrow("ERR Command is not available: 'NOSUCH'");
  expect(await redis.run(["SET", "k", "v"])).toBe("OK");
});
