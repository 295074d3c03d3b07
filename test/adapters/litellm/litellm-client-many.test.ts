// Reads of many keys through the real client.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Breaker } from "../../../src/adapters/litellm/litellm-http.ts";
import { NOW, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { clientOf, OK } from "../../support/builders/litellm-reads.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";
import { type ScriptedServer, startScriptedServer } from "../../support/servers/scripted-server.ts";

let server: ScriptedServer;
beforeAll(async () => {
  server = await startScriptedServer();
});
afterAll(() => server.stop());

describe("many keys at once", () => {
  const readKeys = async (...answers: Parameters<ScriptedServer["answers"]>) => {
    server.answers(...answers);
    const log = new RecordedLog();
    const result = await clientOf(server.url, { log }).readKeys([hashOf("a"), hashOf("b")]);
    return { result, lines: log.lines, asked: server.requests.length };
  };
  const row = (digit: string, differences: object = {}) => ({ token: hashOf(digit), spend: 1, ...differences });

  it("reads many keys in one request, and omits unknown ones", async () => {
    const { result, asked } = await readKeys([200, { key: [], info: [row("b", { spend: 2.5 })] }]);
    expect(asked).toBe(1);
    expect(result).toMatchObject({
      ok: true,
      value: [{ subject: { kind: "key", id: hashOf("b") }, spendNanoUsd: usd("2.5"), begunAt: NOW }],
    });
  });

  it("reads the limits of each key's budget object", async () => {
    const linked = { budget_id: "b1", litellm_budget_table: { max_budget: 10, soft_budget: 8 } };
    const { result } = await readKeys([200, { info: [row("a", linked)] }]);
    expect(result).toMatchObject({ value: [{ maxBudgetNanoUsd: usd("10"), softBudgetNanoUsd: usd("8") }] });
  });

  it.each([
    ["a figure that is none", { token: hashOf("a"), spend: "much" }],
    ["a row without its token", { spend: 1 }],
    ["no row at all", null],
  ])("omits and logs an unparseable row (%s), and returns the others", async (_, nonsense) => {
    const { result, lines } = await readKeys([200, { info: [nonsense, row("b")] }]);
    expect(result).toMatchObject({ ok: true, value: [{ subject: { id: hashOf("b") } }] });
    expect(lines).toEqual(["warn unparseable key row from litellm {}"]);
  });

  it("counts negative spend as zero, and logs it", async () => {
    const { result, lines } = await readKeys([200, { info: [row("a", { spend: -3 })] }]);
    expect(result).toMatchObject({ value: [{ spendNanoUsd: 0n }] });
    expect(lines).toEqual(['warn negative spend counted as zero {"source":"litellm","subject_kind":"key"}']);
  });

  it.each([
    ["a 500", [500, { error: { message: "no db" } }], "status 500"],
    ["no list", [200, { info: {} }], "unparseable answer"],
  ] as const)("fails without a retry on %s", async (_, scripted, why) => {
    const { result, asked } = await readKeys(scripted);
    expect([result, asked]).toEqual([{ ok: false, failure: { kind: "unreachable", why } }, 1]);
  });

  it("sends no request while the breaker is open", async () => {
    const breaker = new Breaker();
    for (let failed = 0; failed < 10; failed++) breaker.record(false, NOW);
    server.answers(OK);
    expect(await clientOf(server.url, { breaker }).readKeys([hashOf("a")])).toMatchObject({
      failure: { kind: "unreachable", why: "breaker open" },
    });
    expect(server.requests).toHaveLength(0);
  });
});
