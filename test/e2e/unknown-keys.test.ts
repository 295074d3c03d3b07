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
  // 60 per clock minute. When a minute ends among the requests, nearly twice as many may pass.
  while (answers.at(-1)?.status !== 429 && answers.length <= 120) {
    answers.push(await api.ask(`sk-guess-${answers.length}`));
  }
  const refused = answers.pop();
  expect([refused?.status, refused?.body.type]).toEqual([429, "urn:bursar:problem:too-many-requests"]);
  expect(Number(refused?.headers.get("Retry-After"))).toBeGreaterThan(0);
  expect(answers.length).toBeGreaterThanOrEqual(60);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
  expect((await api.ask(key)).status).toBe(200);
});
