// `ETag` and `If-Match` over HTTP: of two changes that accept the same version one is made. On a real Postgres.

import { beforeEach, describe, expect, it } from "vitest";
import { fieldsOf, useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, call, create } = useTenantsApi();
const ACME = "/v1/tenants/acme";
const SLACK = { kind: "slack", name: "ops", url: "https://hooks.slack.com/services/T/B/x" };
const GRANT = { override_amount: 5, duration: "1h", reason: "launch" };
const audited = async () =>
  (await world.db.query("select action from audit_log order by id")).map(({ action }) => action);

const send = (method: string, path: string, tag: string, body?: unknown) =>
  call(method, path, body, { headers: { "if-match": tag } });
const tagOf = async (path = ACME) => (await call("GET", path)).headers.get("ETag") ?? "";

beforeEach(async () => void (await create()));

describe("the tag of a tenant", () => {
  it("names its config version, and rises with every change by an administrator", async () => {
    expect(await tagOf()).toBe('"1"');
    const patched = await call("PATCH", ACME, { max_budget: 600 });
    expect([patched.headers.get("ETag"), patched.body.config_version, patched.body.limit_version]).toEqual([
      '"2"',
      2,
      2,
    ]);
    const named = await call("PATCH", ACME, { name: "Acme" });
    expect([named.headers.get("ETag"), named.body.config_version, named.body.limit_version]).toEqual(['"3"', 3, 2]);
    expect((await call("POST", `${ACME}/overrides`, GRANT)).headers.get("ETag")).toBe('"4"');
    expect((await call("POST", `${ACME}/suspend`)).headers.get("ETag")).toBe('"5"');
    expect((await call("POST", `${ACME}/keys`)).headers.get("ETag")).toBe('"6"');
    world.now += 5_000;
    expect((await call("POST", `${ACME}/reset`)).headers.get("ETag")).toBe('"7"');
    expect(await tagOf()).toBe('"7"');
  });

  it("stays the same while nothing but the spend changes, and after a change to the present values", async () => {
    await world.db.query("update tenant_spend set spend = 7, spend_version = spend_version + 1");
    await call("PATCH", ACME, { max_budget: 500 });
    expect([await tagOf(), (await call("GET", ACME)).body.spend]).toEqual(['"1"', 7]);
  });
});

describe.each([
  ["PATCH", ACME, { max_budget: 1 }],
  ["DELETE", ACME, undefined],
  ["POST", `${ACME}/suspend`, undefined],
  ["POST", `${ACME}/resume`, undefined],
  ["POST", `${ACME}/reset`, undefined],
  ["POST", `${ACME}/keys`, undefined],
  ["POST", `${ACME}/overrides`, GRANT],
  ["POST", `${ACME}/restore`, undefined],
])("%s %s", (method, path, body) => {
  it("changes nothing and answers 412 when the version is another one", async () => {
    if (path.endsWith("resume")) await call("POST", `${ACME}/suspend`);
    if (path.endsWith("restore")) await call("DELETE", ACME);
    const before = [await audited(), (await call("GET", ACME)).body, world.changesSent()];
    for (const tag of ['"9"', '"wrong"', '""', `W/${await tagOf()}, "8"`]) {
      const answer = await send(method, path, tag, body);
      expect([tag, answer.status, answer.body?.type]).toEqual([tag, 412, "urn:bursar:problem:precondition-failed"]);
    }
    expect([await audited(), (await call("GET", ACME)).body, world.changesSent()]).toEqual(before);
  });

  it("makes the change when the header names the version", async () => {
    world.now += 5_000;
    if (path.endsWith("restore")) await call("DELETE", ACME);
    expect([200, 201, 204]).toContain((await send(method, path, await tagOf(), body)).status);
  });
});

it("takes a list of tags and any version; answers 422 to a malformed header", async () => {
  for (const [version, tag] of ['"7", "1"', 'W/"9", "2"', "*"].entries()) {
    const answer = await send("PATCH", ACME, tag, { name: `name ${version}` });
    expect([tag, answer.status, answer.headers.get("ETag")]).toEqual([tag, 200, `"${version + 2}"`]);
  }
  for (const tag of ["4", '"4', "'4'", '"4" "5"', ", "]) {
    const answer = await send("PATCH", ACME, tag, { name: "x" });
    expect([tag, answer.status, fieldsOf(answer)]).toEqual([tag, 422, ["If-Match"]]);
  }
});

it("asks proxies not to change an answer with a tag, because Cloudflare weakens the tag of what it compresses", async () => {
  expect((await call("GET", ACME)).headers.get("Cache-Control")).toBe("no-store, no-transform");
  expect((await call("GET", "/v1/tenants")).headers.get("Cache-Control")).toBe("no-store");
});

it("answers 404, not 412, where there is no such tenant, key or override", async () => {
  expect((await send("PATCH", "/v1/tenants/nobody", '"1"', { name: "x" })).status).toBe(404);
  expect((await send("DELETE", `${ACME}/keys/${"f".repeat(64)}`, '"1"')).status).toBe(404);
  expect((await send("DELETE", `${ACME}/overrides/00000000-0000-4000-8000-000000000001`, '"1"')).status).toBe(404);
});

it("guards the removal of a key and the revocation of an override", async () => {
  const { subject } = (await call("GET", ACME)).body;
  await call("POST", `${ACME}/keys`, { overlap: "1h" });
  const { headers } = await call("POST", `${ACME}/overrides`, GRANT);
  for (const path of [`${ACME}/keys/${subject.id}`, headers.get("Location") ?? ""]) {
    const tag = await tagOf();
    expect([(await send("DELETE", path, '"1"')).status, (await send("DELETE", path, tag)).status]).toEqual([412, 204]);
  }
});

it("guards the restore of a deleted tenant", async () => {
  await call("DELETE", ACME);
  const tag = await tagOf();
  const statuses = [];
  for (const each of ['"1"', tag, tag]) statuses.push((await send("POST", `${ACME}/restore`, each)).status);
  expect([tag, ...statuses]).toEqual(['"2"', 412, 201, 409]);
});

it("makes one of two changes at once that accept the same version", async () => {
  const changes = ["a", "b", "c", "d"].map((name) => send("PATCH", ACME, '"1"', { name }));
  const statuses = (await Promise.all(changes)).map(({ status }) => status);
  expect(statuses.sort()).toEqual([200, 412, 412, 412]);
  expect((await audited()).filter((action) => action === "tenant_changed")).toHaveLength(1);
});

it("guards a channel by a version of its own", async () => {
  const made = await call("POST", "/v1/channels", SLACK);
  const path = `/v1/channels/${made.body.id}`;
  expect([made.headers.get("ETag"), await tagOf(path)]).toEqual(['"1"', '"1"']);
  const changed = await send("PATCH", path, '"1"', { name: "oncall" });
  expect([changed.status, changed.headers.get("ETag")]).toEqual([200, '"2"']);
  expect((await send("PATCH", path, '"1"', { name: "other" })).status).toBe(412);
  expect((await call("GET", path)).body.name).toBe("oncall");
  expect([(await send("DELETE", path, '"1"')).status, (await send("DELETE", path, '"2"')).status]).toEqual([412, 204]);
});
