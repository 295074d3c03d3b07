// Guessing keys, alone in its file: an address that was turned away stays so for a while.

import { afterAll, beforeAll, expect, it } from "vitest";
import { apiOf } from "./support/api.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";

let bursar: Bursar;
beforeAll(async () => {
  bursar = await startBursar();
});
afterAll(() => bursar.stop());

it("turns an address away that goes on guessing keys, but not the tenants behind it", async () => {
  const api = apiOf(bursar.url);
  const { key } = await api.createTenant();
  const statuses: number[] = [];
  for (let guess = 0; guess < 70; guess++) statuses.push((await api.ask(`sk-guess-${guess}`)).status);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect(statuses.slice(0, 60).every((status) => status === 401)).toBe(true);
  const refused = await api.ask("sk-guess-again");
  expect([refused.status, refused.body.type]).toEqual([429, "urn:bursar:problem:too-many-requests"]);
  expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(0);
  expect((await api.ask(key)).status).toBe(200);
});
