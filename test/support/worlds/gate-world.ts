// Gate in virtual time, in front of a LiteLLM that returns the answer that a test sets.

import { beforeEach } from "vitest";
import { forwardCall } from "../../../src/flows/check/forward-call.ts";
import type { ModelAnswer } from "../../../src/ports/ports.ts";
import { usd } from "../../budget/builders.ts";
import { hashOf } from "../builders/builders.ts";
import { aModelAnswer, FakeModelCalls } from "../fakes/fake-model-calls.ts";
import { breakable } from "../faults/breakable.ts";
import { ACME, byKey, CheckWorld } from "./check-world.ts";

/** Registers the hook of a suite. */
export function useGate() {
  const gate = { world: new CheckWorld(), models: new FakeModelCalls() };
  beforeEach(() => {
    gate.world = new CheckWorld();
    gate.models = new FakeModelCalls();
  });

  /** Forwards a call that begins now. */
  async function forward(options: { keyHash?: string; spends?: boolean; modelMs?: number } = {}) {
    const { keyHash = "a", spends = true, modelMs = 0 } = options;
    const { world, models } = gate;
    const now = world.clock();
    const port = breakable(models, world.timers);
    port.trouble("forward", modelMs);
    const caller = { ...byKey, keyHash: hashOf(keyHash) };
    const check = { caller, demandedMaxAgeMs: null, colo: "FRA", now, random: 0 };
    const call = {
      method: "POST",
      path: "/v1/chat/completions",
      headers: new Headers(),
      body: null,
      signal: new AbortController().signal,
    };
    const deps = { ...world.deps(), modelCalls: port.port };
    const outcome = await world.timers.runUntil(forwardCall({ check, call, spends }, deps));
    return { outcome, tookMs: world.clock() - now };
  }

  const cost = (decimal: string, differences: Partial<ModelAnswer & { kind: "answered" }> = {}) =>
    aModelAnswer({ costNanoUsd: usd(decimal), ...differences });
  const remembered = () => gate.world.memory.tenant(ACME)?.spend;
  const reports = () => gate.world.queue.sent.filter(({ message }) => message.kind === "calls");
  const reads = () => gate.world.queue.sent.filter(({ message }) => message.kind === "read_due");
  return { gate, forward, cost, remembered, reports, reads };
}
