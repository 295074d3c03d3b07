// A misspelt filter is refused: ignoring it would show every tenant's rows to a caller who asked for one tenant's.

import { expect, it } from "vitest";
import { HttpWorld } from "../support/worlds/http-world.ts";

/** LiteLLM and agents call these, with whatever their configuration adds. */
const FREE = ["/v1/budget", "/v1/tenants/:id/check", "/v1/webhooks/", "/v1/events/"];

const UUID = "00000000-0000-4000-8000-000000000000";

const routes = new HttpWorld().app.routes
  .filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1/"))
  .filter(({ path }) => !FREE.some((free) => path.startsWith(free)))
  .map(({ method, path }) => {
    const filled = path.replace(":hash", "a".repeat(64)).replace("tenants/:id", "tenants/acme");
    return `${method} ${filled.replace(/:\w+/, UUID)}`;
  });

it.each([...new Set(routes)])("%s refuses a parameter that it does not know", async (route) => {
  const [method, path] = route.split(" ");
  const answer = await new HttpWorld().call(`${path}?colour=red`, { method: method ?? "", token: "admin-token" });
  expect([answer.status, answer.body.errors]).toEqual([422, [{ field: "colour", message: "unknown field" }]]);
});

it.each([
  ["/v1/tenants?stat=ok", "stat", "state"],
  ["/v1/alerts?tenant=acme", "tenant"],
  ["/v1/audit?tenant=acme", "tenant"],
  ["/v1/channels?tenantid=acme", "tenantid", "tenant_id"],
  ["/v1/channels/00000000-0000-4000-8000-000000000000?x=1", "x"],
  ["/v1/tenants/acme?fields=name", "fields"],
  ["/v1/tenants/acme/keys?page=2", "page"],
  ["/v1/dead-letters?queue=spend", "queue"],
  ["/v1/setup/litellm?secret=env", "secret", "secrets"],
])("answers 422 to %s and names %s", async (path, field, near?: string) => {
  const { status, body } = await new HttpWorld().call(path, { token: "admin-token" });
  const message = near === undefined ? "unknown field" : `unknown field; did you mean ${near}?`;
  expect([status, body.errors]).toEqual([422, [{ field, message }]]);
});
