// The client behind the claims: it connects on first use, waits 250 ms, and never retries.

import { expect, it, vi } from "vitest";
import { startUpstash } from "../../../dev/upstash/start-upstash.ts";
import { upstashClaims } from "../../../src/adapters/redis/upstash-claims.ts";
import { Outage } from "../../../src/ports/outage.ts";

const TOKEN = "a-token";

it("never retries", async () => {
  const redis = await startUpstash({ port: 0, token: TOKEN });
  redis.setFault({ kind: "reset", times: 1 });
  await expect(upstashClaims({ url: redis.url, token: TOKEN }).ping()).rejects.toBeInstanceOf(Outage);
  await redis.stop();
});

it("waits 250 ms for an answer, and not longer", async () => {
  const redis = await startUpstash({ port: 0, token: TOKEN });
  const timeout = vi.spyOn(AbortSignal, "timeout").mockImplementation(() => new AbortController().signal);
  await upstashClaims({ url: redis.url, token: TOKEN }).ping();
  expect(timeout.mock.calls).toEqual([[250]]);
  timeout.mockRestore();
  await redis.stop();
});

it("connects on first use", () => {
  expect(() => upstashClaims({ url: "https://redis.invalid", token: TOKEN })).not.toThrow();
});
