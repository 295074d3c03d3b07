// A misspelt filter is refused: ignoring it would show every tenant's rows to a caller who asked for one tenant's.

import { expect, it } from "vitest";
import { HttpWorld } from "../support/worlds/http-world.ts";

it.each([
  ["/v1/tenants?stat=ok", "stat"],
  ["/v1/alerts?tenant_id=acme", "tenant_id"],
  ["/v1/audit?tenant=acme", "tenant"],
  ["/v1/channels?tenantid=acme", "tenantid"],
  ["/v1/dead-letters?queue=spend", "queue"],
  ["/v1/setup/litellm?secret=env", "secret"],
])("answers 422 to %s and names %s", async (path, field) => {
  const { status, body } = await new HttpWorld().call(path, { token: "admin-token" });
  expect([status, body.errors]).toEqual([422, [{ field, message: "unknown field" }]]);
});
