import { describe, expect, it } from "vitest";
import { UNREAD_MS, unreadSince } from "../../src/budget/freshness.ts";
import { NOW } from "./builders.ts";

const readAt = NOW - UNREAD_MS;
const tenant = { readAt, syncedSince: NOW - 10 * UNREAD_MS, isMissing: false };

describe("a tenant is unread", () => {
  it("from an hour after its last read on", () => {
    expect(unreadSince(tenant, NOW)).toBe(readAt);
    expect(unreadSince(tenant, NOW - 1)).toBeNull();
  });

  it("from an hour after LiteLLM had it, if there was no read", () => {
    expect(unreadSince({ ...tenant, readAt: null, syncedSince: readAt }, NOW)).toBe(readAt);
    expect(unreadSince({ ...tenant, readAt: null, syncedSince: readAt + 1 }, NOW)).toBeNull();
  });

  it("neither while LiteLLM does not have its desired state nor while its key or team is missing there", () => {
    expect(unreadSince({ ...tenant, syncedSince: null }, NOW)).toBeNull();
    expect(unreadSince({ ...tenant, isMissing: true }, NOW)).toBeNull();
  });
});
