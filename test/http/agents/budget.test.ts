// Ask over HTTP, for agents and orchestrators: the body, the headers, and the text of refusals.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SpendRecord } from "../../../src/budget/spend.ts";
import type { TenantConfig } from "../../../src/budget/tenant.ts";
import { demandedMaxAgeMs } from "../../../src/http/agents/check-input.ts";
import { DAY, MINUTE, NOW, RESET, SECOND, usd } from "../../budget/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { ACME } from "../../support/worlds/check-world.ts";
import { HttpWorld } from "../../support/worlds/http-world.ts";

let world: HttpWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new HttpWorld();
});
afterEach(() => void vi.useRealTimers());

const subject = { kind: "key", id: sha256(VIRTUAL_KEY) } as const;
const hasTenant = (config: Partial<TenantConfig> = {}, spend: Partial<SpendRecord> | null = {}) =>
  world.hasTenant({ subject, ...config }, spend);
const agedBy = (ms: number) => ({ observedAt: NOW - ms, readAt: NOW - ms });

const VERDICT = {
  tenant_id: "acme",
  allowed: true,
  state: "warning",
  reason: "over_threshold",
  currency: "USD",
  spend: 412.5,
  limit: 500,
  used_percent: 82.5,
  max_budget: 500,
  override_amount: 0,
  alert_threshold: 80,
  grace_threshold: 110,
  remaining: 87.5,
  blocks_at: 550,
  period_started_at: "2026-11-01T00:00:00.000Z",
  resets_at: "2026-12-01T00:00:00.000Z",
  as_of: "2026-11-15T11:59:57.000Z",
  age_seconds: 3,
  source: "cache",
  degraded: false,
  enforcement: "enforce",
};

describe("a verdict that allows", () => {
  beforeEach(() => void hasTenant({}, { spendNanoUsd: usd("412.5"), ...agedBy(3 * SECOND) }));

  it("answers 200 with exactly the members of the contract", async () => {
    const { status, headers, body } = await world.ask();
    expect([status, headers.get("Content-Type")]).toEqual([200, "application/json"]);
    expect(body).toEqual(VERDICT);
  });

  it("has Age, Cache-Control and Server-Timing headers", async () => {
    const { headers } = await world.ask();
    expect(headers.get("Age")).toBe("3");
    expect(headers.get("Cache-Control")).toBe("private, max-age=60");
    expect(headers.get("Server-Timing")).toBe("total;dur=0");
    expect(headers.get("X-Request-Id")).toMatch(/^[\w-]{10,}$/);
  });

  it("answers the same to an orchestrator that names the tenant", async () => {
    expect((await world.call("/v1/tenants/acme/check", { token: "read-token" })).body).toEqual(VERDICT);
  });

  it("accepts `bearer` in any letter case", async () => {
    const headers = { authorization: `bearer  ${VIRTUAL_KEY} ` };
    expect((await world.call("/v1/budget", { headers })).status).toBe(200);
  });
});

describe("a refusal", () => {
  it("R3: answers 402 over the block threshold, with the amounts and the end of the period", async () => {
    hasTenant({}, { spendNanoUsd: usd("552") });
    const { status, headers, body } = await world.ask();
    expect([status, headers.get("Content-Type")]).toEqual([402, "application/problem+json"]);
    expect(body).toMatchObject({
      type: "urn:bursar:problem:budget-exceeded",
      title: "Budget exceeded",
      status: 402,
      detail: "Budget exceeded for tenant acme. Current: $552.00, Limit: $500.00. Contact admin to increase budget.",
      request_id: headers.get("X-Request-Id"),
      allowed: false,
      state: "blocked",
      reason: "over_grace",
      spend: 552,
      blocks_at: 550,
      remaining: 0,
    });
    expect(body.remediation).toContain("Wait for the budget to reset at 2026-12-01T00:00:00.000Z.");
    expect(headers.get("Retry-After")).toBe(String((RESET - NOW) / SECOND));
  });

  it("X4: allows 109.99 percent and refuses 110.00", async () => {
    hasTenant({}, { spendNanoUsd: usd("549.999999999") });
    const allowed = await world.ask();
    expect([allowed.status, allowed.body.state, allowed.body.used_percent]).toEqual([200, "grace", 109.99]);
    world = new HttpWorld();
    hasTenant({}, { spendNanoUsd: usd("550") });
    const refused = await world.ask();
    expect([refused.status, refused.body.state, refused.body.used_percent]).toEqual([402, "blocked", 110]);
  });

  it("names no reset for a budget that never resets", async () => {
    hasTenant({ budgetDuration: null, budgetResetAt: null }, { spendNanoUsd: usd("552"), resetsAt: null });
    const { status, headers, body } = await world.ask();
    expect([status, headers.get("Retry-After"), body.resets_at]).toEqual([402, null, null]);
    expect(body.remediation).toHaveLength(2);
  });

  it("asks to retry after 30 s when the reset is overdue", async () => {
    hasTenant({}, { spendNanoUsd: usd("552"), resetsAt: NOW - SECOND, ...agedBy(0) });
    expect((await world.ask()).headers.get("Retry-After")).toBe("30");
  });

  it("asks to retry after at least 1 s just before the reset", async () => {
    hasTenant({}, { spendNanoUsd: usd("552"), resetsAt: NOW + 1 });
    expect((await world.ask()).headers.get("Retry-After")).toBe("1");
  });

  it("X1: refuses a zero budget with 402 even before any spend is known", async () => {
    hasTenant({ maxBudgetNanoUsd: 0n, budgetResetAt: null }, null);
    world.litellm.nextTries.push(AWAY);
    const { status, body } = await world.ask();
    expect([status, body.reason, body.spend, body.used_percent]).toEqual([402, "zero_limit", null, null]);
  });

  it("tells a tenant with a zero limit to have one set, not to wait for a reset that changes nothing", async () => {
    hasTenant({ maxBudgetNanoUsd: 0n }, { spendNanoUsd: 0n, resetsAt: NOW + DAY });
    const { status, headers, body } = await world.ask();
    expect([status, body.reason, body.detail]).toEqual([
      402,
      "zero_limit",
      "Tenant acme has no budget: its limit is zero. Contact admin to set a limit.",
    ]);
    expect(headers.has("Retry-After")).toBe(false);
    expect(JSON.stringify(body.remediation)).not.toContain("Wait");
  });

  it("answers 403 without Retry-After for a suspended tenant", async () => {
    hasTenant({ suspendedAt: NOW - DAY });
    const { status, headers, body } = await world.ask();
    expect([status, body.type, body.reason]).toEqual([403, "urn:bursar:problem:tenant-suspended", "suspended"]);
    expect(headers.get("Retry-After")).toBeNull();
    expect(body.detail).toContain("acme");
  });

  it("answers 503 with a short Retry-After and no caching under a closed fail policy", async () => {
    hasTenant({ failPolicy: "closed" }, agedBy(11 * MINUTE));
    world.litellm.nextTries.push(AWAY);
    const { status, headers, body } = await world.ask();
    expect([status, body.type, body.source]).toEqual([503, "urn:bursar:problem:spend-unknown", "fail_closed"]);
    expect([headers.get("Retry-After"), headers.get("Cache-Control")]).toEqual(["5", "private, max-age=0"]);
  });

  it("says that LiteLLM has blocked the key, also under a closed fail policy", async () => {
    hasTenant({ litellmBlockedAt: NOW - DAY, failPolicy: "closed" });
    const { status, headers, body } = await world.ask();
    expect([status, body.type, body.reason]).toEqual([403, "urn:bursar:problem:litellm-blocked", "litellm_blocked"]);
    expect(headers.get("Retry-After")).toBeNull();
    expect(body.detail).toContain("is blocked in LiteLLM");
  });

  it("says that LiteLLM does not have the key: 200 under open, and 503 without Retry-After under closed", async () => {
    hasTenant({ subjectMissingAt: NOW });
    const open = await world.ask();
    expect([open.status, open.body.state, open.body.reason]).toEqual([200, "unknown", "subject_missing"]);
    world = new HttpWorld();
    hasTenant({ subjectMissingAt: NOW, failPolicy: "closed" });
    const { status, headers, body } = await world.ask();
    expect([status, body.type, body.reason]).toEqual([503, "urn:bursar:problem:subject-missing", "subject_missing"]);
    expect(headers.get("Retry-After")).toBeNull();
    expect(body.detail).toContain("LiteLLM does not have the key or team of tenant acme");
  });

  it("answers 200 with would_block under observe", async () => {
    hasTenant({ enforcement: "observe" }, { spendNanoUsd: usd("552") });
    const { status, body } = await world.ask();
    expect([status, body.allowed, body.would_block, body.state]).toEqual([200, true, true, "blocked"]);
  });
});

describe("unknown spend", () => {
  beforeEach(() => {
    for (const verb of ["ownerOf", "tenant"] as const) world.snapshots.trouble(verb, new Error("down"));
    for (const verb of ["findByKey", "load"] as const) world.tenants.trouble(verb, new Error("down"));
    world.litellm.nextTries.push(AWAY);
  });

  it("allows under an open fail policy, with nulls for unknown values", async () => {
    const { status, headers, body } = await world.ask();
    expect(status).toBe(200);
    expect(headers.get("Age")).toBeNull();
    expect(body).toMatchObject({
      tenant_id: null,
      allowed: true,
      state: "unknown",
      source: "fail_open",
      degraded: true,
    });
    for (const name of ["spend", "limit", "used_percent", "remaining", "resets_at", "as_of", "age_seconds"]) {
      expect(body[name]).toBeNull();
    }
  });

  it("still names the tenant that an orchestrator asked for", async () => {
    expect((await world.call("/v1/tenants/acme/check", { token: "read-token" })).body.tenant_id).toBe("acme");
  });
});

describe("callers", () => {
  it.each([
    ["no header", {}],
    ["another scheme", { authorization: "Basic abc" }],
    ["no key in it", { authorization: "Bearer " }],
    ["two words", { authorization: "Bearer a b" }],
  ])("answers 401 with instructions: %s", async (_, headers) => {
    const { status, body, headers: answered } = await world.call("/v1/budget", { headers });
    expect([status, body.type]).toEqual([401, "urn:bursar:problem:unauthorized"]);
    expect(answered.get("WWW-Authenticate")).toBe('Bearer realm="bursar"');
  });

  it("answers 401 to an unknown key, which neither answer nor log contains", async () => {
    const { status, body } = await world.ask();
    expect([status, body.type]).toEqual([401, "urn:bursar:problem:unknown-key"]);
    expect(JSON.stringify([body, world.log.lines])).not.toContain(VIRTUAL_KEY);
  });

  it("answers 429 for a second to a network with too many unknown keys, and to no other", async () => {
    await world.guessKeys("203.0.113.9");
    const { status, headers, body } = await world.ask({ headers: { "CF-Connecting-IP": "203.0.113.9" } });
    expect([status, body.type, headers.get("Retry-After")]).toEqual([429, "urn:bursar:problem:too-many-requests", "1"]);
    expect(headers.get("RateLimit-Policy")).toBe('"unknown-keys";q=60;w=60');
    expect(headers.get("RateLimit")).toBe('"unknown-keys";r=0;t=1');
    expect((await world.ask({ headers: { "CF-Connecting-IP": "203.0.113.8" } })).status).toBe(401);
    expect((await world.ask()).status).toBe(401);
  });

  it("counts an IPv6 network of 64 bits as one caller", async () => {
    await world.guessKeys("2001:db8:1:2::/64");
    const { status } = await world.ask({ headers: { "CF-Connecting-IP": "2001:db8:1:2:3::4" } });
    expect(status).toBe(429);
  });

  it.each(["nobody", "not%20an%20id", `a${"b".repeat(128)}`])("answers 404 for the tenant %s", async (id) => {
    const { status, body } = await world.call(`/v1/tenants/${id}/check`, { token: "read-token" });
    expect([status, body.type]).toEqual([404, "urn:bursar:problem:not-found"]);
  });

  it("reads once per colo", async () => {
    hasTenant({}, agedBy(61 * SECOND));
    await world.redis.claimRead({ tenantId: ACME, colo: "NRT", seconds: 5 });
    await world.ask({ colo: "NRT" });
    await world.untilQuiet();
    expect(world.litellm.reads).toHaveLength(0);
    await world.timers.pass(5_000);
    await world.redis.claimRead({ tenantId: ACME, colo: "NRT", seconds: 5 });
    vi.setSystemTime(NOW + 5_000);
    await world.ask({ colo: "FRA" });
    await world.untilQuiet();
    expect(world.litellm.reads).toHaveLength(1);
  });
});

describe("the demand for freshness", () => {
  it.each<[string | undefined, number | null]>([
    [undefined, null],
    ["", null],
    ["no-cache", 0],
    ["No-Store", 0],
    ["max-age=0", 0],
    ["max-age=60", 60_000],
    ['max-age="7"', 7_000],
    ["private, max-age=5", 5_000],
    ["max-age=60, max-age=5", 5_000],
    ["max-age=60, no-cache", 0],
    ["max-age=-1", null],
    ["max-age=soon", null],
    ["max-age=9999999999", null],
    ["min-fresh=5", null],
  ])("%s", (header, ms) => {
    expect(demandedMaxAgeMs(header)).toBe(ms);
  });

  it("reads LiteLLM before it answers a request with `no-cache`", async () => {
    hasTenant({}, agedBy(SECOND));
    world.litellm.has(aLiteLlmRow({ subject, spendNanoUsd: usd("500") }));
    const { body } = await world.ask({ headers: { "Cache-Control": "no-cache" } });
    expect([body.spend, body.source, body.age_seconds]).toEqual([500, "litellm", 0]);
  });
});
