// Reads of LiteLLM through the real client: retries and backoff.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Litellm, startLitellm } from "../../../dev/litellm/start.ts";
import { liteLlmClient } from "../../../src/adapters/litellm/litellm-client.ts";
import { NOW, usd } from "../../budget/builders.ts";
import { BROKEN, clientOf, KEY, OK, readOnce } from "../../support/builders/litellm-reads.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";
import { type ScriptedServer, startScriptedServer } from "../../support/servers/scripted-server.ts";

let server: ScriptedServer;
let now: number;
const clock = () => now;

beforeAll(async () => {
  server = await startScriptedServer();
});
afterAll(() => server.stop());
beforeEach(() => {
  server.setFault(null);
  now = NOW;
});
afterEach(() => void vi.restoreAllMocks());

const read = (options: { tries?: number } = {}) => readOnce(server.url, options);

describe("zeroing a key's spend", () => {
  const NO_ROUTE = [404, { detail: "Not Found" }] as const;
  const asked = () => server.requests.map(({ path, body }) => [path, JSON.parse(body)]);

  it.each([
    ["an old LiteLLM, which has no route for it,", NO_ROUTE],
    ["one that does not reset below zero", [400, { detail: { error: "reset_to must be <= current spend" } }]],
  ] as const)("falls back to an update for %s", async (_, scripted) => {
    server.answers(scripted, [200, {}]);
    expect(await clientOf(server.url).resetSpend(KEY.id)).toEqual({ ok: true, value: undefined });
    expect(asked()).toEqual([
      [`/key/${KEY.id}/reset_spend`, { reset_to: 0 }],
      ["/key/update", { key: KEY.id, spend: 0 }],
    ]);
  });

  it.each([
    ["unknown to the update", [NO_ROUTE, [401, { error: { message: "no", param: "None" } }]], { kind: "not_found" }],
    ["unknown to the reset", [[404, { detail: { error: "no" } }]], { kind: "not_found" }],
    ["behind a LiteLLM that is away", [[503, ""]], { kind: "unreachable", why: "status 503" }],
  ] as const)("fails for a key %s", async (_, scripted, failure) => {
    server.answers(...scripted);
    expect(await clientOf(server.url).resetSpend(KEY.id)).toEqual({ ok: false, failure });
    expect(server.requests).toHaveLength(scripted.length);
  });
});

describe("tries", () => {
  /** The delays between tries. */
  const pauses = () => server.requests.slice(1).map(({ at }, index) => at - (server.requests[index]?.at ?? 0));

  it.each([
    ["no jitter", 0, [200, 400]],
    ["nearly all of it", 0.9, [380, 760]],
  ])("X7: backs off exponentially after a 5xx, with up to 100 % jitter: %s", async (_, random, expected) => {
    vi.spyOn(Math, "random").mockReturnValue(random);
    const timers = vi.spyOn(globalThis, "setTimeout");
    server.answers(BROKEN, BROKEN, OK);
    const { result, failures } = await read({ tries: 3 });
    expect(result.ok).toBe(true);
    expect(failures).toEqual(Array(2).fill({ kind: "unreachable", why: "status 502" }));
    for (const [index, pause] of pauses().entries()) {
      expect(pause).toBeGreaterThanOrEqual((expected[index] ?? 0) - 2);
    }
    // A busy machine pauses for longer than it is told. The timers of three seconds are the HTTP server's.
    expect(timers.mock.calls.flatMap(([, ms = 0]) => (ms < 3_000 ? [ms] : []))).toEqual(expected);
    expect(server.requests).toHaveLength(3);
  });

  it.each([
    ["a 429", [429, { error: { message: "slow down" } }], "status 429"],
    ["a 408", [408, ""], "status 408"],
    ["a 503", [503, { detail: "no db" }], "status 503"],
    ["JSON that is no key", [200, { nonsense: [1] }], "unparseable answer"],
    ["no JSON at all", [200, "<html>"], "unparseable answer"],
    ["a page of something before LiteLLM", [403, "<html>"], "status 403 without LiteLLM's error"],
  ] as const)("retries after %s", async (_, scripted, why) => {
    server.answers(scripted, OK);
    const { result, failures } = await read({ tries: 2 });
    expect([result.ok, failures]).toMatchObject([true, [{ kind: "unreachable", why }]]);
  });

  it("retries after a cut connection", async () => {
    server.answers(OK);
    server.setFault({ kind: "reset", times: 1 });
    const { result, failures } = await read({ tries: 2 });
    expect([result.ok, failures]).toEqual([true, [{ kind: "unreachable", why: "network" }]]);
  });

  it("counts two seconds without an answer as a failed try", async () => {
    server.answers(OK);
    server.setFault({ kind: "hang", times: 1 });
    const timeout = vi.spyOn(AbortSignal, "timeout");
    const begunAt = performance.now();
    const { failures } = await read();
    expect(failures).toEqual([{ kind: "unreachable", why: "time-out" }]);
    expect(performance.now() - begunAt).toBeGreaterThan(1_990);
    expect(timeout.mock.calls).toEqual([[2_000]]);
  });

  it("stops after the given number of tries with the last failure", async () => {
    server.answers([500, ""], BROKEN);
    const { result, failures } = await read({ tries: 2 });
    expect(result).toEqual({ ok: false, failure: { kind: "unreachable", why: "status 502" } });
    expect([failures.length, server.requests.length]).toEqual([2, 2]);
  });

  it.each([
    [
      "a key that it does not have",
      [404, { error: { message: "Key not found", param: "key" } }],
      { kind: "not_found" },
    ],
    ["a refusal", [400, { error: { message: "no" } }], { kind: "refused", status: 400, param: null, message: "no" }],
  ] as const)("does not retry after %s", async (_, scripted, failure) => {
    server.answers(scripted);
    const { result, failures } = await read({ tries: 3 });
    expect(result).toEqual({ ok: false, failure });
    expect([failures, server.requests.length]).toEqual([[failure], 1]);
  });

  it("throws a bug without a retry", async () => {
    const bug = async () => Promise.reject(new RangeError("a bug"));
    const http = { call: bug, probe: bug };
    const broken = liteLlmClient(http, clock, new RecordedLog());
    const onFailedTry = vi.fn();
    await expect(broken.readSubject(KEY, { tries: 2, onFailedTry })).rejects.toThrow("a bug");
    expect(onFailedTry).not.toHaveBeenCalled();
  });
});

describe("the simulator", () => {
  let litellm: Litellm;
  beforeAll(async () => {
    litellm = await startLitellm({ databaseDelayMs: 0 });
  });
  afterAll(() => litellm.stop());

  const client = () => clientOf(litellm.url, { masterKey: litellm.masterKey });

  it.each([
    ["answers 500", { kind: "error", status: 500 }],
    ["answers nonsense", { kind: "nonsense" }],
    ["cuts connections", { kind: "reset" }],
  ] as const)("succeeds at the third try when the simulator %s twice", async (_, fault) => {
    const limits = { maxBudgetNanoUsd: usd("10"), softBudgetNanoUsd: usd("8"), budgetDuration: "30d" };
    const fields = { ...limits, metadata: {}, blocked: false };
    const name = `sk-${fault.kind}`;
    const created = await client().createKey(name, { ...fields, keyAlias: name });
    if (!created.ok) throw new Error(JSON.stringify(created.failure));
    litellm.setSpend(name, 4.2);
    litellm.setFault({ ...fault, times: 2 });
    const litellmRow = await client().readSubject(created.value.subject, { tries: 3 });
    expect(litellmRow).toMatchObject({
      ok: true,
      value: { spendNanoUsd: usd("4.2"), maxBudgetNanoUsd: usd("10"), softBudgetNanoUsd: usd("8") },
    });
  });

  it("zeroes a key's spend, and reports a missing key", async () => {
    await client().createKey("sk-zeroed", {
      ...{ maxBudgetNanoUsd: usd("10"), softBudgetNanoUsd: null, budgetDuration: "30d", metadata: {} },
      ...{ blocked: true, keyAlias: "zeroed" },
    });
    const subject = { kind: "key", id: sha256("sk-zeroed") } as const;
    litellm.setSpend("sk-zeroed", 4.2);
    expect(await client().resetSpend(subject.id)).toEqual({ ok: true, value: undefined });
    const read = await client().readSubject(subject, { tries: 1 });
    expect(read).toMatchObject({ ok: true, value: { spendNanoUsd: 0n, blocked: true } });
    expect(await client().resetSpend(KEY.id)).toEqual({ ok: false, failure: { kind: "not_found" } });
  });

  it("reports missing keys and teams", async () => {
    for (const subject of [KEY, { kind: "team", id: "nobody" } as const]) {
      expect(await client().readSubject(subject, { tries: 1 })).toEqual({ ok: false, failure: { kind: "not_found" } });
    }
  });

  it("reports a wrong master key as a refusal, not as a missing key", async () => {
    expect(await clientOf(litellm.url, { masterKey: "sk-another" }).readSubject(KEY, { tries: 1 })).toMatchObject({
      ok: false,
      failure: { kind: "refused", status: 401 },
    });
  });

  it("answers a ping without a key", async () => {
    expect(await client().ping()).toEqual({ ok: true, value: undefined });
    await litellm.stop();
    expect(await client().ping()).toMatchObject({ ok: false, failure: { kind: "unreachable", why: "network" } });
    await litellm.restart();
  });
});
