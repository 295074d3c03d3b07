// What every call of the admin API has in common: reasons, bodies, metadata, exact amounts, and the headers of answers.
// On a real Postgres.

import { beforeEach, describe, expect, it } from "vitest";
import { fieldsOf, useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, call, create } = useTenantsApi();
const ACME = "/v1/tenants/acme";
const WHY = "asked for by finance";
const SLACK = { kind: "slack", name: "ops", url: "https://hooks.slack.com/services/T/B/x" };
const GRANT = { override_amount: 5, duration: "1h", reason: "launch" };
const PROBLEM = "urn:bursar:problem:";

const reasons = async () =>
  Object.fromEntries(
    (await call("GET", "/v1/audit")).body.data.map(({ action, detail }: { action: string; detail: unknown }) => [
      action,
      (detail as { reason?: string } | null)?.reason,
    ]),
  );

it("audits the reason of every change", async () => {
  await create({ reason: WHY });
  await call("PATCH", ACME, { name: "Acme", reason: WHY });
  await call("POST", `${ACME}/suspend`, { reason: WHY });
  await call("POST", `${ACME}/resume`, { reason: WHY });
  const { subject } = (await call("GET", ACME)).body;
  await call("POST", `${ACME}/keys`, { overlap: "1h", reason: WHY });
  await call("DELETE", `${ACME}/keys/${subject.id}?reason=${WHY}`);
  const granted = await call("POST", `${ACME}/overrides`, GRANT);
  expect((await reasons())["override_granted"]).toBe("launch");
  await call("DELETE", `${granted.headers.get("Location")}?reason=${WHY}`);
  world.now += 5_000;
  await call("POST", `${ACME}/reset`, { reason: WHY });
  const { id } = (await call("POST", "/v1/channels", { ...SLACK, reason: WHY })).body;
  await call("PATCH", `/v1/channels/${id}`, { name: "oncall", reason: WHY });
  await call("DELETE", `/v1/channels/${id}?reason=${WHY}`);
  await call("DELETE", `${ACME}?reason=${WHY}`);
  const { override_granted: _, alert_recorded: __, ...others } = await reasons();
  expect(others).toEqual({
    tenant_created: WHY,
    tenant_changed: WHY,
    tenant_suspended: WHY,
    tenant_resumed: WHY,
    key_created: WHY,
    key_removed: WHY,
    override_revoked: WHY,
    period_reset: WHY,
    channel_created: WHY,
    channel_changed: WHY,
    channel_deleted: WHY,
    tenant_deleted: WHY,
  });
});

describe("bodies", () => {
  beforeEach(async () => void (await create()));

  it.each(["suspend", "resume", "reset"])("refuses a body of %s that is no JSON or has other fields", async (name) => {
    const path = `${ACME}/${name}`;
    for (const garbage of ["{", "reason=x"]) expect((await call("POST", path, garbage)).status).toBe(400);
    for (const [body, field] of [
      [{ reasn: "x" }, "reasn"],
      [{ reason: "two\nlines" }, "reason"],
      [{ reason: "x".repeat(501) }, "reason"],
      [[], ""],
    ]) {
      const answer = await call("POST", path, body);
      expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
    }
    expect((await call("GET", ACME)).body.config_version).toBe(1);
    expect((await call("POST", path, "")).status).toBe(200);
  });

  it("says that a body is empty where a field is required", async () => {
    for (const path of ["/v1/tenants", "/v1/channels", `${ACME}/overrides`]) {
      const { status, body } = await call("POST", path, " ");
      expect([status, body.type, body.detail]).toEqual([
        400,
        `${PROBLEM}malformed-json`,
        "The body is empty. Send a JSON object.",
      ]);
    }
  });

  it("refuses the body of a deletion, because what it says would be lost", async () => {
    const { status, body } = await call("DELETE", ACME, { reason: WHY });
    expect([status, body.detail]).toEqual([422, "DELETE takes no body: send the reason as ?reason=…"]);
    expect((await call("GET", ACME)).status).toBe(200);
  });
});

it("merges metadata: names replace, null removes, the rest stays; twenty pairs at most", async () => {
  expect((await create({ metadata: { plan: "gold", crm: "7", gone: null } })).body.metadata).toEqual({
    plan: "gold",
    crm: "7",
  });
  const patched = await call("PATCH", ACME, { metadata: { plan: null, team: "red" } });
  expect([patched.body.metadata, patched.body.config_version]).toEqual([{ crm: "7", team: "red" }, 2]);
  const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "x"]));
  for (const metadata of [
    pairs(21),
    pairs(19),
    { a: 7 },
    { a: "x".repeat(501) },
    { ["k".repeat(41)]: "x" },
    { a: "sk-1" },
    [],
  ]) {
    const answer = await call("PATCH", ACME, { metadata });
    expect([answer.status, fieldsOf(answer)[0]]).toEqual([422, expect.stringMatching(/^metadata/)]);
  }
  expect((await call("PATCH", ACME, { metadata: pairs(18) })).status).toBe(200);
  const swapped = { ...Object.fromEntries(Object.keys(pairs(18)).map((key) => [key, null])), a: "x", b: "x", c: "x" };
  expect((await call("PATCH", ACME, { metadata: swapped })).status).toBe(200);
});

it.each([
  ["PATCH", "/v1/tenants/a%20b"],
  ["PATCH", "/v1/tenants/nobody"],
  ["PATCH", "/v1/channels/nope"],
  ["POST", "/v1/tenants/a%20b/suspend"],
  ["POST", "/v1/tenants/a%20b/overrides"],
  ["POST", "/v1/tenants/a%20b/keys"],
  ["POST", "/v1/tenants/a%20b/restore"],
])("reads the request before the resource: %s %s with an unknown field is a 422", async (method, path) => {
  const answer = await call(method, path, { zzz: 1 });
  expect(answer.status).toBe(422);
  expect(fieldsOf(answer)).toContain("zzz");
});

it.each([
  ["123456.123456789", 201],
  ["123456789.123456", 201],
  ["123456789.123456789", 422],
  ["1234567.123456789", 422],
])("takes the amount %s only if it comes back as it was sent", async (amount, status) => {
  const answer = await call("POST", "/v1/tenants", `{"tenant_id": "acme", "max_budget": ${amount}}`);
  expect(answer.status).toBe(status);
  if (status === 201) expect(String(answer.body.max_budget)).toBe(amount);
  else expect(answer.body.detail).toBe("max_budget: must have at most 15 digits");
});

it("shows what remains of the limit, never less than nothing", async () => {
  expect((await create({ max_budget: 10 })).body.remaining).toBe(10);
  await world.db.query("update tenant_spend set spend = 12, spend_version = spend_version + 1");
  expect((await call("GET", ACME)).body).toMatchObject({ remaining: 0, reason: "over_grace" });
});

it("answers 201 with the Location of what was created, and replays it", async () => {
  const locations = [];
  for (const [path, body] of [
    ["/v1/tenants", { tenant_id: "acme" }],
    [`${ACME}/keys`, {}],
    [`${ACME}/overrides`, GRANT],
    ["/v1/channels", SLACK],
  ] as const) {
    const first = await call("POST", path, body, { key: "k" });
    const again = await call("POST", path, body, { key: "k" });
    const location = first.headers.get("Location") ?? "";
    expect([first.status, again.status, again.headers.get("Idempotency-Replayed")]).toEqual([201, 201, "true"]);
    expect(again.headers.get("Location")).toBe(location);
    locations.push((await call("GET", location)).status);
  }
  expect(locations).toEqual([200, 200, 200, 200]);
});

it("shows the amount of an override in an alert as a number", async () => {
  await create();
  await call("POST", `${ACME}/overrides`, GRANT);
  expect((await call("GET", `${ACME}/alerts`)).body.data).toMatchObject([{ detail: { override_amount: 5 } }]);
});

it("replays the answer of an act, without acting again", async () => {
  await create();
  world.now += 5_000;
  const first = await call("POST", `${ACME}/reset`, undefined, { key: "k" });
  world.now += 5_000;
  const again = await call("POST", `${ACME}/reset`, undefined, { key: "k" });
  expect([again.status, again.headers.get("Idempotency-Replayed")]).toEqual([200, "true"]);
  expect(again.body.period_started_at).toBe(first.body.period_started_at);
});

it("pages the keys of a tenant like every list", async () => {
  await create();
  await call("POST", `${ACME}/keys`, { overlap: "1h" });
  const first = await call("GET", `${ACME}/keys?limit=1`);
  const second = await call("GET", `${ACME}/keys?limit=1&cursor=${first.body.next_cursor}`);
  expect([first.body.data.length, second.body.data.length, second.body.next_cursor]).toEqual([1, 1, null]);
  expect(second.body.data[0].key_hash).not.toBe(first.body.data[0].key_hash);
});

it.each([
  "audit",
  "alerts",
  "channels",
  "dead-letters",
  "tenants/acme/alerts",
  "tenants/acme/overrides",
  "tenants/acme/keys",
])("answers 422 to a cursor that no page of %s has named", async (list) => {
  await create();
  const answer = await call("GET", `/v1/${list}?cursor=zzz`);
  expect([answer.status, fieldsOf(answer)]).toEqual([422, ["cursor"]]);
});

it("keeps no answer in a cache, takes a slash at the end, and tells the methods of a path", async () => {
  await create();
  const read = await call("GET", `${ACME}/`);
  expect([read.status, read.headers.get("Cache-Control")]).toEqual([200, "no-store, no-transform"]);
  const options = await call("OPTIONS", ACME);
  expect([options.status, options.headers.get("Allow")]).toEqual([204, "GET, HEAD, PATCH, DELETE, OPTIONS"]);
  const put = await call("PUT", ACME);
  expect([put.status, put.body.detail]).toEqual([405, "Send one of GET, HEAD, PATCH, DELETE."]);
  expect((await call("GET", "/v1/tenant")).body.detail).toBe("There is no route /v1/tenant.");
  expect((await call("GET", "/v1/sk-by-mistake")).body.detail).toBe("There is no such route.");
});
