// The cursor of the list of tenants: it comes back as it was, and nothing else is one.

import { expect, it } from "vitest";
import { tenantCursorOf, tenantPositionOf } from "../../src/wire/tenant-cursor.ts";
import { idOf } from "../support/builders/builders.ts";

const raw = (text: string) => btoa(text).replaceAll("=", "");

it.each([
  ["acme", 0],
  ["A.b_c-9", -1],
  ["x".repeat(128), 2_147_483_647],
])("names the place of %s in either order, in letters that need no escape", (id, used) => {
  const place = { tenantId: idOf(id), used };
  for (const sort of ["tenant_id", "-used_percent"] as const) {
    const cursor = tenantCursorOf(sort, place);
    expect(cursor).toMatch(/^[\w-]+$/);
    expect(tenantPositionOf(sort, cursor)).toEqual(place);
  }
});

it("belongs to one order: the other one has the tenant at another place", () => {
  const place = { tenantId: idOf("acme"), used: 10 };
  expect(tenantPositionOf("-used_percent", tenantCursorOf("tenant_id", place))).toBeNull();
  expect(tenantPositionOf("tenant_id", tenantCursorOf("-used_percent", place))).toBeNull();
});

it.each([
  "i.2147483648.acme",
  "i.9999999999.acme",
  "i.-2.acme",
  "i.1.5.acme/",
  "i.1.",
  "x.1.acme",
  "i..acme",
  "i.1.-a",
])("refuses %s, which Postgres could not take or no page has named", (text) => {
  expect(tenantPositionOf("tenant_id", raw(text))).toBeNull();
});
