// The isolate's memory: how long it keeps entries, how many, and that forgetting a tenant forgets its keys.

import { beforeEach, expect, it } from "vitest";
import { IsolateMemory } from "../../../src/adapters/cloudflare/isolate-memory.ts";
import type { KeyHash } from "../../../src/budget/tenant.ts";
import { aSpendRecord, aTenantConfig, MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { hashOf, idOf } from "../../support/builders/builders.ts";

let memory: IsolateMemory;
beforeEach(() => {
  memory = new IsolateMemory();
});
const acme = idOf("acme");
const known = { config: aTenantConfig(), spend: aSpendRecord() };

it.each([acme, null])("remembers a key's tenant (%s) for sixty seconds", (tenantId) => {
  expect(memory.tenantOf(hashOf("a"), NOW)).toBeUndefined();
  memory.rememberTenantOf(hashOf("a"), tenantId, NOW);
  expect(memory.tenantOf(hashOf("a"), NOW + 59_999)).toBe(tenantId);
  expect(memory.tenantOf(hashOf("a"), NOW + 60_000)).toBeUndefined();
});

it("remembers a tenant and its check time, until it is forgotten with its keys", () => {
  memory.rememberTenant(acme, known, NOW);
  memory.rememberTenantOf(hashOf("a"), acme, NOW);
  memory.rememberTenantOf(hashOf("b"), idOf("other"), NOW);
  expect(memory.tenant(acme)).toEqual({ ...known, checkedAt: NOW });
  memory.forgetTenant(acme);
  expect(memory.tenant(acme)).toBeNull();
  expect(memory.tenantOf(hashOf("a"), NOW)).toBeUndefined();
  expect(memory.tenantOf(hashOf("b"), NOW)).toBe("other");
});

it("keeps only the tenant of a larger object", () => {
  memory.rememberTenant(acme, { ...known, request: {} } as typeof known, NOW);
  expect(Object.keys(memory.tenant(acme) ?? {}).sort()).toEqual(["checkedAt", "config", "spend"]);
});

it("remembers a failed read for five seconds, or until a read succeeds", () => {
  expect(memory.failedRecently(acme, NOW)).toBe(false);
  memory.rememberFailedRead(acme, NOW);
  expect([memory.failedRecently(acme, NOW + 4_999), memory.failedRecently(acme, NOW + 5_000)]).toEqual([true, false]);
  memory.forgetFailedRead(acme);
  expect(memory.failedRecently(acme, NOW)).toBe(false);
});

it("gives a bucket's tokens until it is empty, and fills it up to its burst again", () => {
  const rate = { burst: 2, perMinute: 60 };
  const take = (ms: number) => memory.takeToken("203.0.113.7", rate, NOW + ms);
  expect([take(0), take(0), take(999), take(SECOND), take(SECOND)]).toEqual([true, true, false, true, false]);
  memory.returnToken("203.0.113.7");
  expect([take(SECOND), take(SECOND)]).toEqual([true, false]);
  expect([take(MINUTE), take(MINUTE), take(MINUTE)]).toEqual([true, true, false]);
  expect(memory.takeToken("203.0.113.8", rate, NOW)).toBe(true);
});

it("remembers readiness for a second", () => {
  expect(memory.readiness(NOW)).toBeNull();
  const readiness = { ready: true, dependencies: [] };
  memory.rememberReadiness(readiness, NOW);
  expect(memory.readiness(NOW + 999)).toBe(readiness);
  expect(memory.readiness(NOW + SECOND)).toBeNull();
});

it("allows a throttled name once per its seconds", () => {
  expect(memory.throttle("refresh:acme", 5, NOW)).toBe(true);
  expect(memory.throttle("refresh:other", 5, NOW)).toBe(true);
  expect(memory.throttle("refresh:acme", 5, NOW + 4_999)).toBe(false);
  expect(memory.throttle("refresh:acme", 1, NOW + 1_000)).toBe(true);
  expect(memory.throttle("refresh:acme", 5, NOW + 5_000)).toBe(false);
  expect(memory.throttle("refresh:acme", 5, NOW + 6_000)).toBe(true);
});

it("keeps ten thousand entries of a kind, and drops the least recently used", () => {
  const hash = (n: number) => String(n).padStart(64, "0") as KeyHash;
  for (let n = 0; n < 10_000; n++) memory.rememberTenantOf(hash(n), acme, NOW);
  memory.rememberTenantOf(hash(0), acme, NOW);
  memory.rememberTenantOf(hash(10_000), acme, NOW);
  expect(memory.tenantOf(hash(0), NOW)).toBe(acme);
  expect(memory.tenantOf(hash(1), NOW)).toBeUndefined();
  expect(memory.tenantOf(hash(10_000), NOW)).toBe(acme);
});
