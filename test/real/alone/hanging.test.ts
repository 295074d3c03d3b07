// A Bursar that accepts LiteLLM's question and never answers: how long a call through the proxy takes.

import { afterEach, beforeEach, expect, it } from "vitest";
import { breakGuard, chat, DIRECT, mendGuard, newTenant, pause, report } from "../support/product.ts";
import { behaviour } from "../support/version.ts";

/** The `timeout` of the pasted guardrail, and a second. */
const BOUND_MS = 3_000;

/** No version has a time-out of its own between this and ten minutes. */
const HELD_MS = 10_000;

beforeEach(breakGuard);
afterEach(mendGuard);

it.runIf(behaviour.boundsGuardrail)("LiteLLM allows a call within the guardrail's timeout and a second", async () => {
  const { key } = await newTenant({ max_budget: 100 });
  for (const turn of ["first", "second"]) {
    const begunAt = performance.now();
    const { status } = await chat(DIRECT, key);
    const tookMs = performance.now() - begunAt;
    report(`the ${turn} call took ${(tookMs / 1_000).toFixed(2)} s while Bursar hung, and was answered ${status}`);
    expect(status).toBe(200);
    expect(tookMs).toBeLessThan(BOUND_MS);
  }
});

it.skipIf(behaviour.boundsGuardrail)("LiteLLM before 1.105 holds a call for as long as Bursar hangs", async () => {
  const { key } = await newTenant({ max_budget: 100 });
  const answered = chat(DIRECT, key).then(() => "answered");
  answered.catch(() => {});
  expect(await Promise.race([answered, pause(HELD_MS).then(() => "held")])).toBe("held");
  report(`a call was still held after ${HELD_MS / 1_000} s while Bursar hung`);
});
