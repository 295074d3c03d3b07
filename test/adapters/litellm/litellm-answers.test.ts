// LiteLLM's answers: each shape of an error, each shape of a row, and unparseable spend.

import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Subject } from "../../../src/budget/tenant.ts";
import { NOW, usd } from "../../budget/builders.ts";
import { KEY, OK, readOnce } from "../../support/builders/litellm-reads.ts";
import { type ScriptedServer, startScriptedServer } from "../../support/servers/scripted-server.ts";

let server: ScriptedServer;
beforeAll(async () => {
  server = await startScriptedServer();
});
afterEach(() => void vi.unstubAllEnvs());
afterAll(() => server.stop());

const UNPARSEABLE = { kind: "unreachable", why: "unparseable answer", isUnparseable: true };

const read = (options: { subject?: Subject } = {}) => readOnce(server.url, options);

describe("the shapes of an error", () => {
  const refused = (status: number, param: string | null, message: string) => ({
    kind: "refused",
    status,
    param,
    message,
  });
  it.each<[string, number, unknown, object]>([
    [
      "{error}",
      400,
      { error: { message: "m", type: "t", param: "max_budget", code: "400" } },
      refused(400, "max_budget", "m"),
    ],
    ["{error} without words", 400, { error: { param: null } }, refused(400, null, "")],
    ["{detail: {error}}", 400, { detail: { error: "m" } }, refused(400, null, "m")],
    ["{detail: {}}", 400, { detail: {} }, refused(400, null, "")],
    [
      "{detail: [...]}",
      422,
      { detail: [{ loc: ["body"], msg: "a" }, "odd", { msg: "b" }, {}] },
      refused(422, null, "a; b; "),
    ],
    ["{detail: text}", 405, { detail: "Method Not Allowed" }, refused(405, null, "Method Not Allowed")],
    ["a bad master key", 401, { error: { message: "m", param: "None" } }, refused(401, "None", "m")],
    ["{detail: {error}} of what is missing", 404, { detail: { error: "m" } }, { kind: "not_found" }],
    ["of a 5xx nothing is read", 500, { error: { message: "m" } }, { kind: "unreachable", why: "status 500" }],
    ["neither error nor detail", 400, { oops: 1 }, { kind: "unreachable", why: "status 400 without LiteLLM's error" }],
    ["a list", 400, [1], { kind: "unreachable", why: "status 400 without LiteLLM's error" }],
    ["null", 404, null, { kind: "unreachable", why: "status 404 without LiteLLM's error" }],
  ])("%s", async (_, status, body, failure) => {
    server.answers([status, body]);
    expect((await read()).result).toEqual({ ok: false, failure });
  });

  it("reports a missing route as unreachable, not as a missing key", async () => {
    server.answers([404, { detail: "Not Found" }]);
    expect((await read()).result).toMatchObject({ ok: false, failure: { kind: "unreachable" } });
  });

  it("follows no redirect, so the master key goes nowhere else", async () => {
    server.answers([302, "", { location: "/elsewhere" }], OK);
    expect((await read()).result).toMatchObject({ ok: false, failure: { kind: "unreachable" } });
    expect(server.requests.map(({ path }) => path)).toEqual([`/key/info?key=${KEY.id}`]);
  });
});

describe("a row", () => {
  const readRow = async (row: object, subject: Subject = KEY) => {
    server.answers([200, subject.kind === "key" ? { info: row } : { team_info: row }]);
    const { result } = await read({ subject });
    return result.ok ? result.value : result.failure;
  };

  it("has subject, spend, period and time of the read", async () => {
    const row = { spend: 1.2000000000000002, max_budget: 5.5, budget_duration: "30d", metadata: { tenant_id: "acme" } };
    expect(await readRow({ ...row, created_at: "2026-11-01T00:00:00Z", team_id: "t1" })).toMatchObject({
      subject: KEY,
      spendNanoUsd: usd("1.2"),
      begunAt: NOW,
      maxBudgetNanoUsd: usd("5.5"),
      budgetDuration: "30d",
      own: { maxBudgetNanoUsd: usd("5.5"), budgetDuration: "30d" },
      createdAt: Date.UTC(2026, 10, 1),
      resetsAt: null,
      metadata: { tenant_id: "acme" },
      budgetId: null,
      teamId: "t1",
    });
    expect(server.requests[0]).toMatchObject({ method: "GET", authorization: "Bearer sk-master", body: "" });
  });

  it.each([
    ["with Z", "2026-12-01T00:00:00Z"],
    ["with an offset", "2026-12-01T01:00:00+01:00"],
    ["with a short offset", "2026-12-01T01:00:00+0100"],
    ["naive, then UTC", "2026-12-01T00:00:00"],
    ["naive with microseconds", "2026-12-01T00:00:00.000123"],
  ])("parses an instant %s in any time zone", async (_, text) => {
    vi.stubEnv("TZ", "America/New_York");
    expect(await readRow({ spend: 0, budget_reset_at: text })).toMatchObject({ resetsAt: Date.UTC(2026, 11, 1) });
  });

  it("treats a malformed instant as unknown", async () => {
    expect(await readRow({ spend: 0, budget_reset_at: "soon" })).toMatchObject({ resetsAt: null });
  });

  it("reads a key's limits from its budget object", async () => {
    const table = { max_budget: 10, soft_budget: 8, budget_duration: "1mo", budget_reset_at: "2026-12-01T00:00:00Z" };
    const row = { spend: 0, max_budget: null, budget_duration: null, budget_reset_at: null, budget_id: "b1" };
    expect(await readRow({ ...row, litellm_budget_table: table })).toMatchObject({
      maxBudgetNanoUsd: usd("10"),
      softBudgetNanoUsd: usd("8"),
      budgetDuration: "1mo",
      resetsAt: Date.UTC(2026, 11, 1),
      budgetId: "b1",
      own: { maxBudgetNanoUsd: null, budgetDuration: null },
    });
    expect(await readRow({ ...row, max_budget: 3, litellm_budget_table: table })).toMatchObject({
      maxBudgetNanoUsd: usd("3"),
    });
  });

  it("has a team's own soft budget and no team", async () => {
    const team = { kind: "team", id: "team-1" } as const;
    expect(await readRow({ spend: 2, soft_budget: 4, team_id: "team-1" }, team)).toMatchObject({
      subject: team,
      softBudgetNanoUsd: usd("4"),
      teamId: null,
    });
    expect(server.requests[0]?.path).toBe("/team/info?team_id=team-1");
  });

  it("counts negative spend as zero, and logs it", async () => {
    server.answers([200, { info: { spend: -0.5 } }]);
    const { result, lines } = await read();
    expect(result).toMatchObject({ ok: true, value: { spendNanoUsd: 0n } });
    expect(lines).toEqual(['warn negative spend counted as zero {"source":"litellm","subject_kind":"key"}']);
  });

  it.each([
    ["missing", "{}"],
    ["null", '{"spend":null}'],
    ["text that is no amount", '{"spend":"much"}'],
    ["a list", '{"spend":[1]}'],
    ["NaN, as Python writes it", '{"spend":NaN}'],
    ["Infinity, as Python writes it", '{"spend":Infinity}'],
    ["more than a double", '{"spend":1e999}'],
    ["more than Postgres can keep", '{"spend":1e30}'],
  ])("rejects a row with a spend of %s", async (_, row) => {
    server.answers([200, `{"info":${row}}`]);
    expect((await read()).result).toEqual({ ok: false, failure: UNPARSEABLE });
  });

  it.each([
    ["spend as text", { spend: "3.5" }, { spendNanoUsd: usd("3.5") }],
    ["max_budget as text", { spend: 1, max_budget: "22.5" }, { maxBudgetNanoUsd: usd("22.5") }],
    ["max_budget of another kind", { spend: 1, max_budget: {} }, { maxBudgetNanoUsd: null }],
    ["metadata as JSON text", { spend: 1, metadata: '{"a":1}' }, { metadata: { a: 1 } }],
    ["metadata as the text of an empty object", { spend: 1, metadata: "{}" }, { metadata: {} }],
    ["metadata as a list", { spend: 1, metadata: [] }, { metadata: {} }],
    ["blocked as text", { spend: 1, blocked: "false" }, { blocked: false }],
    ["blocked as the text true", { spend: 1, blocked: "true" }, { blocked: true }],
    ["blocked of another kind", { spend: 1, blocked: 1 }, { blocked: false }],
    [
      "a number where text is expected",
      { spend: 1, budget_duration: 30, team_id: 7 },
      { budgetDuration: null, teamId: null },
    ],
    [
      "an instant of another kind",
      { spend: 1, budget_reset_at: 5, created_at: {} },
      { resetsAt: null, createdAt: null },
    ],
    ["a budget object of another kind", { spend: 1, litellm_budget_table: "b1" }, { softBudgetNanoUsd: null }],
  ])("reads a row with %s", async (_, raw, expected) => {
    expect(await readRow(raw)).toMatchObject({ subject: KEY, ...expected });
  });

  it("answers that LiteLLM does not know a key whose last row it shows as deleted", async () => {
    const capture = new URL("../../litellm/captures/1.110.2/key_info.deleted.json", import.meta.url);
    server.answers([200, JSON.parse(readFileSync(capture, "utf8"))]);
    expect((await read()).result).toEqual({ ok: false, failure: { kind: "not_found" } });
  });

  it("ignores unknown fields", async () => {
    expect(await readRow({ spend: 1, metadata: null, new_field: { deep: [1] } })).toMatchObject({ metadata: {} });
  });
});
