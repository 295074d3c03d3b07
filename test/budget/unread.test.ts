import { describe, expect, it } from "vitest";
import { UNREAD_MS, unreadSince } from "../../src/budget/freshness.ts";
import { NOW } from "./builders.ts";

const readAt = NOW - UNREAD_MS;
const tenant = { readAt, syncedSince: NOW - 10 * UNREAD_MS, isMissing: false };

describe("a tenant is unread", () => {
  it("counts from an hour after its last read on", () => {
    expect(unreadSince(tenant, NOW)).toBe(readAt);
    expect(unreadSince(tenant, NOW - 1)).toBeNull();
  });

  it("counts from an hour after LiteLLM had it, without a read", () => {
    expect(unreadSince({ ...tenant, readAt: null, syncedSince: readAt }, NOW)).toBe(readAt);
    expect(unreadSince({ ...tenant, readAt: null, syncedSince: readAt + 1 }, NOW)).toBeNull();
  });

  it("never counts while it is not synced, or missing in LiteLLM", () => {
    expect(unreadSince({ ...tenant, syncedSince: null }, NOW)).toBeNull();
    expect(unreadSince({ ...tenant, isMissing: true }, NOW)).toBeNull();
  });
});
