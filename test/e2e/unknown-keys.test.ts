// Guessing keys. In its own file, because a limited address stays limited for a while.

import { afterAll, beforeAll, expect, it } from "vitest";
import { type Answer, apiOf } from "./support/api.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";

let bursar: Bursar;
beforeAll(async () => {
  bursar = await startBursar();
});
afterAll(() => bursar.stop());

it("limits an address that guesses keys, but not the tenants behind it", async () => {
  const api = apiOf(bursar.url);
  const { key } = await api.createTenant();
  const answers: Answer[] = [];
  // 30 at once and one a second after that: a busy machine needs more than a minute for as many.
  while (!answers.some(({ status }) => status === 429) && answers.length <= 120) {
    const guesses = Array.from({ length: 10 }, (_, index) => `sk-guess-${answers.length + index}`);
    answers.push(...(await Promise.all(guesses.map((guess) => api.ask(guess)))));
  }
  const allowed = answers.filter(({ status }) => status !== 429);
  expect(allowed.length).toBeGreaterThanOrEqual(30);
  expect(new Set(allowed.map(({ status }) => status))).toEqual(new Set([401]));
  const refused = answers.find(({ status }) => status === 429);
  expect(refused?.body.type).toBe("urn:bursar:problem:too-many-requests");
  expect(Number(refused?.headers.get("Retry-After"))).toBeGreaterThan(0);
  expect((await api.ask(key)).status).toBe(200);
});
