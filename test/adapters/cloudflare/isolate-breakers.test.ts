// The breaker of one channel: which attempts it admits while the channel is silent.

import { expect, it } from "vitest";
import { IsolateBreakers } from "../../../src/adapters/cloudflare/isolate-breakers.ts";
import { NOW, SECOND } from "../../budget/builders.ts";
import { channelIdOf } from "../../support/builders/notice-builders.ts";

const [silent, other] = [channelIdOf(1), channelIdOf(2)];

function silentBreakers(): IsolateBreakers {
  const breakers = new IsolateBreakers();
  for (let attempt = 0; attempt < 3; attempt++) breakers.note(silent, false, NOW);
  return breakers;
}

it("admits one attempt after the rest, and the others only once it is answered", () => {
  const breakers = silentBreakers();
  expect(breakers.admits(silent, NOW + 29 * SECOND)).toBe(false);
  const probes = [0, 0, 29, 30].map((seconds) => breakers.admits(silent, NOW + (30 + seconds) * SECOND));
  expect(probes).toEqual([true, false, false, true]);
  breakers.note(silent, true, NOW + 61 * SECOND);
  expect([1, 2, 3].map(() => breakers.admits(silent, NOW + 61 * SECOND))).toEqual([true, true, true]);
});

it("rests again after a probe without an answer", () => {
  const breakers = silentBreakers();
  expect(breakers.admits(silent, NOW + 30 * SECOND)).toBe(true);
  breakers.note(silent, false, NOW + 40 * SECOND);
  expect([69, 70].map((seconds) => breakers.admits(silent, NOW + seconds * SECOND))).toEqual([false, true]);
});

it("rests no other channel, and none that answered in between", () => {
  const breakers = silentBreakers();
  expect(breakers.admits(other, NOW)).toBe(true);
  for (const isAnswered of [false, false, true, false, false]) breakers.note(other, isAnswered, NOW);
  expect(breakers.admits(other, NOW)).toBe(true);
});
