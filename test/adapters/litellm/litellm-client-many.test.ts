// Reads of many keys through the real client.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Breaker } from "../../../src/adapters/litellm/litellm-http.ts";
import { NOW, PERIOD_START, usd } from "../../budget/builders.ts";
import { hashOf, idOf } from "../../support/builders/builders.ts";
import { clientOf, OK } from "../../support/builders/litellm-reads.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";
import { type ScriptedServer, startScriptedServer } from "../../support/servers/scripted-server.ts";

const CAPTURE = new URL("../../litellm/captures/1.110.2/v2_key_info.response.json", import.meta.url);

let server: ScriptedServer;
beforeAll(async () => {
  server = await startScriptedServer();
});
afterAll(() => server.stop());

const keyOf = (digit: string) => ({
  keyHash: hashOf(digit),
  tenantId: idOf(`tenant-${digit}`),
  createdAt: PERIOD_START,
});

describe("many keys at once", () => {
  const readKeys = async (...answers: Parameters<ScriptedServer["answers"]>) => {
    server.answers(...answers);
    const log = new RecordedLog();
    const result = await clientOf(server.url, { log }).readKeys([keyOf("a"), keyOf("b")]);
    return { result, lines: log.lines, asked: server.requests.length };
  };
  const rowsOf = (result: Awaited<ReturnType<typeof readKeys>>["result"]) =>
    result.ok ? [...result.value.values()] : null;
  const row = (digit: string, differences: object = {}) => ({ token: hashOf(digit), spend: 1, ...differences });

  it("reads many keys in one request, and omits unknown ones", async () => {
    const { result, asked } = await readKeys([200, { key: [], info: [row("b", { spend: 2.5 })] }]);
    expect(asked).toBe(1);
    expect(rowsOf(result)).toMatchObject([
      { subject: { kind: "key", id: hashOf("b") }, spendNanoUsd: usd("2.5"), begunAt: NOW },
    ]);
  });

  describe("without a token, as LiteLLM sends rows since 1.83.14", () => {
    const labelled = (digit: string, differences: object = {}) => ({
      spend: 1,
      created_at: new Date(PERIOD_START).toISOString(),
      metadata: { tenant_id: `tenant-${digit}` },
      ...differences,
    });
    const idsIn = async (...rows: unknown[]) => {
      const { result } = await readKeys([200, { info: rows }]);
      return rowsOf(result)?.map(({ subject }) => subject.id);
    };

    it("matches the rows of a real answer by label and creation time", async () => {
      const { key: _, ...answer } = JSON.parse(readFileSync(CAPTURE, "utf8"));
      server.answers([200, answer]);
      const createdAt = Date.parse("2026-11-28T00:22:13.280Z");
      const key = { keyHash: hashOf("a"), tenantId: idOf("acme"), createdAt };
      const result = await clientOf(server.url).readKeys([key, keyOf("b")]);
      expect(rowsOf(result)).toMatchObject([{ subject: { id: hashOf("a") }, spendNanoUsd: 0n, budgetDuration: "30d" }]);
    });

    it("matches rows in any order", async () => {
      expect(await idsIn(labelled("b"), labelled("a"))).toEqual([hashOf("a"), hashOf("b")]);
    });

    it.each([
      ["two rows have one label", [labelled("a"), labelled("a")]],
      ["the row was created at another time", [labelled("a", { created_at: "2026-01-01T00:00:00Z" })]],
      ["the row has no label", [labelled("a", { metadata: null })]],
      ["the label names another tenant", [labelled("c")]],
      ["the key is deleted", [labelled("a", { status: "deleted" })]],
    ])("leaves a key out when %s", async (_, rows) => {
      expect(await idsIn(...rows, labelled("b"))).toEqual([hashOf("b")]);
    });
  });

  it("reads the limits of each key's budget object", async () => {
    const linked = { budget_id: "b1", litellm_budget_table: { max_budget: 10, soft_budget: 8 } };
    const { result } = await readKeys([200, { info: [row("a", linked)] }]);
    expect(rowsOf(result)).toMatchObject([{ maxBudgetNanoUsd: usd("10"), softBudgetNanoUsd: usd("8") }]);
  });

  it.each([
    ["spend that is not an amount", { token: hashOf("a"), spend: "much" }],
    ["neither token nor label", { spend: 1 }],
    ["null instead of a row", null],
  ])("omits and logs a row that it cannot use (%s), and returns the others", async (_, nonsense) => {
    const { result, lines } = await readKeys([200, { info: [nonsense, row("b")] }]);
    expect(rowsOf(result)).toMatchObject([{ subject: { id: hashOf("b") } }]);
    expect(lines).toEqual(['warn unmatched key rows from litellm {"rows":1}']);
  });

  it("counts negative spend as zero, and logs it", async () => {
    const { result, lines } = await readKeys([200, { info: [row("a", { spend: -3 })] }]);
    expect(rowsOf(result)).toMatchObject([{ spendNanoUsd: 0n }]);
    expect(lines).toEqual(['warn negative spend counted as zero {"source":"litellm","subject_kind":"key","keys":1}']);
  });

  it.each([
    ["a 500", [500, { error: { message: "no db" } }], "status 500"],
    ["no list", [200, { info: {} }], "unparseable answer"],
  ] as const)("fails without a retry on %s", async (_, scripted, why) => {
    const { result, asked } = await readKeys(scripted);
    expect([result, asked]).toEqual([{ ok: false, failure: expect.objectContaining({ kind: "unreachable", why }) }, 1]);
  });

  it("sends no request while the breaker is open", async () => {
    const breaker = new Breaker();
    for (const subject of ["a", "b", "c"]) breaker.recordFailure(subject, NOW);
    breaker.recordProbe(false, NOW);
    server.answers(OK);
    expect(await clientOf(server.url, { breaker }).readKeys([keyOf("a")])).toMatchObject({
      failure: { kind: "unreachable", why: "breaker open" },
    });
    expect(server.requests).toHaveLength(0);
  });
});
