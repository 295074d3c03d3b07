// Who may do what over HTTP, and which answers a cache may keep: for every route of the admin API, as the app lists
// them, so that a new one cannot be forgotten.

import { expect, it } from "vitest";
import { HttpWorld } from "../../support/worlds/http-world.ts";

/** LiteLLM and agents call these, with credentials of their own. */
const OTHERS = ["/v1/budget", "/v1/webhooks/", "/v1/events/"];

/** Reads that show more than a read token may see. */
const ADMINS_READS = ["GET /v1/audit", "GET /v1/setup/litellm"];

const ROUTES = [
  ...new Set(
    new HttpWorld().app.routes
      .filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1/"))
      .filter(({ path }) => !OTHERS.some((other) => path.startsWith(other)))
      .map(({ method, path }) => `${method} ${path}`),
  ),
];
const isAdmins = (route: string) => !route.startsWith("GET ") || ADMINS_READS.includes(route);

const call = (route: string, token?: string) => {
  const [method = "", path = ""] = route.split(" ");
  const filled = path.replace("tenants/:id", "tenants/acme").replace(/:\w+/, "a".repeat(64));
  return new HttpWorld().call(filled, { method, ...(token !== undefined && { token }) });
};

it("finds the routes of every resource", () => {
  const resources = ROUTES.map((route) => route.split("/")[2]);
  const known = ["alerts", "audit", "channels", "dead-letters", "setup", "tenants"];
  expect([...new Set(resources)].sort()).toEqual(known);
  expect(ROUTES.filter(isAdmins).length).toBeGreaterThan(15);
});

it.each(ROUTES)("%s answers 401 without a token and to a wrong one, for no cache to keep", async (route) => {
  for (const token of [undefined, "wrong"]) {
    const { status, headers } = await call(route, token);
    expect([status, headers.get("Cache-Control")]).toEqual([401, "no-store"]);
  }
});

it.each(ROUTES.filter(isAdmins))("%s answers 403 to a read token, for no cache to keep", async (route) => {
  const { status, headers, body } = await call(route, "read-token");
  expect([status, body.type]).toEqual([403, "urn:bursar:problem:admin-token-required"]);
  expect(headers.get("Cache-Control")).toBe("no-store");
});

it.each(ROUTES.filter((route) => !isAdmins(route)))("%s may be read with a read token", async (route) => {
  expect([401, 403]).not.toContain((await call(route, "read-token")).status);
});
