// Guessing keys. In its own file, because a limited address stays limited for a while.

import { afterAll, beforeAll, expect, it } from "vitest";
import { apiOf } from "./support/api.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";

let bursar: Bursar;
beforeAll(async () => {
  bursar = await startBursar();
});
afterAll(() => bursar.stop());

it("limits an address that guesses keys, but not the tenants behind it", async () => {
  const api = apiOf(bursar.url);
  const { key } = await api.createTenant();
  const statuses: number[] = [];
  // 60 per clock minute. When a minute ends among the requests, nearly twice as many may pass.
  while (statuses.at(-1) !== 429 && statuses.length <= 120) {
    statuses.push((await api.ask(`sk-guess-${statuses.length}`)).status);
  }
  expect(statuses.at(-1)).toBe(429);
  expect(statuses.length).toBeGreaterThan(60);
  expect(new Set(statuses.slice(0, -1))).toEqual(new Set([401]));
  const refused = await api.ask("sk-guess-again");
  expect([refused.status, refused.body.type]).toEqual([429, "urn:bursar:problem:too-many-requests"]);
  expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(0);
  expect((await api.ask(key)).status).toBe(200);
});
