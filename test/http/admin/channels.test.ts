// `/v1/channels` over HTTP: accepted input, shown fields, and fields that are never shown.

import { describe, expect, it } from "vitest";
import { NOW } from "../../budget/builders.ts";
import { READER, useNoticesApi } from "../../support/worlds/notices-api.ts";
import { fieldsOf } from "../../support/worlds/tenants-api.ts";

const { db, createTenant, policy, call, notifier, loseEncryptionKey } = useNoticesApi();

const SLACK = { kind: "slack", name: "Finance", url: "https://hooks.slack.com/services/T0/B0/very-secret" };
const EMAIL = { kind: "email", name: "Mail", to: ["Ann@Example.com", "bob@example.com", "cy@corp.example"] };
const WEBHOOK = { kind: "webhook", name: "Hook", url: "https://hooks.example:8443/in/very-secret?k=very-secret" };
const SECRET = /^whsec_[A-Za-z0-9+/]{43}=$/;
const NOBODY = "/v1/channels/00000000-0000-4000-8000-000000000000";

const create = (body: object) => call("POST", "/v1/channels", body);
const made = async (body: object): Promise<string> => `/v1/channels/${(await create(body)).body.id}`;

describe("creating", () => {
  it("answers 201 with the channel and its location, without its target", async () => {
    const { status, headers, body } = await create(SLACK);
    expect(status).toBe(201);
    expect(headers.get("Location")).toBe(`/v1/channels/${body.id}`);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      tenant_id: null,
      kind: "slack",
      name: "Finance",
      target_hint: "hooks.slack.com",
      enabled: true,
      events: null,
      min_severity: "info",
      config_version: 1,
      last_error: null,
      last_error_at: null,
      broken_since: null,
      created_at: new Date(NOW).toISOString(),
      updated_at: new Date(NOW).toISOString(),
    });
    expect((await call("GET", `/v1/channels/${body.id}`)).body).toEqual(body);
  });

  it("shows only the domains of e-mail addresses", async () => {
    expect((await create(EMAIL)).body.target_hint).toBe("…@example.com, …@corp.example");
  });

  it("takes one address once, with its internationalised domain as providers write it", async () => {
    const { status, body } = await create({ ...EMAIL, to: ["ops@münchen.example", "ops@xn--mnchen-3ya.example"] });
    expect([status, body.target_hint]).toEqual([201, "…@xn--mnchen-3ya.example"]);
    expect(fieldsOf(await create({ ...EMAIL, to: ["ops@münchen"] }))).toEqual(["to.0"]);
  });

  it("shows a webhook's signing secret once, new each time, with no-store", async () => {
    const { headers, body } = await create(WEBHOOK);
    expect([body.signing_secret, body.target_hint]).toEqual([expect.stringMatching(SECRET), "hooks.example:8443"]);
    expect(headers.get("Cache-Control")).toBe("no-store, no-transform");
    const { signing_secret: _, ...shown } = body;
    expect((await call("GET", `/v1/channels/${body.id}`)).body).toEqual(shown);
    expect((await create(WEBHOOK)).body.signing_secret).not.toBe(body.signing_secret);
    expect((await create(SLACK)).body).not.toHaveProperty("signing_secret");
  });

  it("accepts an existing tenant, and answers 422 naming tenant_id otherwise", async () => {
    await createTenant();
    const { status, body } = await create({ ...SLACK, tenant_id: "acme", enabled: false });
    expect([status, body.tenant_id, body.enabled]).toEqual([201, "acme", false]);
    for (const tenant_id of ["nobody", "-"]) {
      const answer = await create({ ...SLACK, tenant_id });
      expect([answer.status, fieldsOf(answer)]).toEqual([422, ["tenant_id"]]);
    }
  });

  it("accepts one address or a list, and drops duplicates", async () => {
    await create({ ...EMAIL, to: "ann@example.com" });
    const path = await made({ ...EMAIL, to: ["ann@example.com", "ann@example.com"] });
    await call("POST", `${path}/test`);
    expect(notifier().sent).toMatchObject([{ kind: "email", target: ["ann@example.com"] }]);
  });

  it.each([
    ["kind", { ...SLACK, kind: "pager" }],
    ["kind", { name: "x" }],
    ["name", { ...SLACK, name: " " }],
    ["name", { ...SLACK, name: "a\u0000b" }],
    ["name", { ...EMAIL, name: "a\r\nBcc: eve@example.com" }],
    ["url", { kind: "slack", name: "x" }],
    ["url", { ...SLACK, url: "" }],
    ["url", { ...SLACK, url: "not a url" }],
    ["url", { ...WEBHOOK, url: "http://hooks.example/in" }],
    ["url", { ...WEBHOOK, url: "https://127.0.0.1/in" }],
    ["url", { ...WEBHOOK, url: "https://10.0.0.7/in" }],
    ["url", { ...WEBHOOK, url: `https://hooks.example/${"x".repeat(2_000)}` }],
    ["url", { ...EMAIL, url: SLACK.url }],
    ["to", { ...SLACK, to: "ann@example.com" }],
    ["to", { kind: "email", name: "x" }],
    ["to", { ...EMAIL, to: [] }],
    ["to.1", { ...EMAIL, to: ["ann@example.com", "not an address"] }],
    ["to.0", { ...EMAIL, to: "ann@example.com\r\nBcc: eve@example.com" }],
    ["to.0", { ...EMAIL, to: `${"x".repeat(250)}@example.com` }],
    ["to", { ...EMAIL, to: Array.from({ length: 51 }, (_, index) => `a${index}@example.com`) }],
    ["enabled", { ...SLACK, enabled: "yes" }],
    ["events", { ...SLACK, events: [] }],
    ["events.1", { ...SLACK, events: ["budget_blocked", "budget.blocked"] }],
    ["min_severity", { ...SLACK, min_severity: "high" }],
    ["secret", { ...WEBHOOK, secret: "mine" }],
  ])("answers 422 naming %s: %j", async (field, body) => {
    const answer = await create(body);
    expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
    expect((await call("GET", "/v1/channels")).body.data).toEqual([]);
  });

  it("accepts plain http and private hosts only on a developer's machine", async () => {
    const local = { ...WEBHOOK, url: "http://127.0.0.1:8025/webhook" };
    expect((await create(local)).status).toBe(422);
    policy.allowsLocalTargets = true;
    expect((await create(local)).status).toBe(201);
  });

  it("answers 400 to malformed JSON, 422 to a non-object, 403 to a read token", async () => {
    expect((await call("POST", "/v1/channels", "{")).status).toBe(400);
    expect((await call("POST", "/v1/channels", "[]")).status).toBe(422);
    expect((await call("POST", "/v1/channels", SLACK, READER)).status).toBe(403);
  });
});

describe("reading", () => {
  it("lists with a read token, newest first, paged, and filtered by tenant", async () => {
    await createTenant();
    const names = ["one", "two", "three"];
    for (const name of names) await create({ ...SLACK, name, ...(name === "two" && { tenant_id: "acme" }) });
    const first = await call("GET", "/v1/channels?limit=2", undefined, READER);
    expect(first.body.data).toHaveLength(2);
    const second = await call("GET", `/v1/channels?limit=2&cursor=${first.body.next_cursor}`, undefined, READER);
    expect(second.body).toMatchObject({ data: [{}], next_cursor: null });
    const listed = [...first.body.data, ...second.body.data].map(({ name }) => name);
    expect(listed.sort()).toEqual(names.sort());
    expect((await call("GET", "/v1/channels?tenant_id=acme")).body.data).toMatchObject([{ name: "two" }]);
  });

  it.each([
    ["limit", "limit=0"],
    ["cursor", "cursor=abc"],
    ["cursor", "cursor="],
    ["cursor", "cursor=zzzzzzzzzz.00000000-0000-4000-8000-000000000000"],
    ["tenant_id", "tenant_id=a%2Fb"],
  ])("answers 422 naming %s: ?%s", async (field, query) => {
    const answer = await call("GET", `/v1/channels?${query}`);
    expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
  });

  it("answers 404 for a missing channel, whatever its id looks like", async () => {
    for (const path of [NOBODY, "/v1/channels/x", `/v1/channels/${"x".repeat(500)}`]) {
      const answers = [
        await call("GET", path),
        await call("PATCH", path, { name: "x" }),
        await call("DELETE", path),
        await call("POST", `${path}/test`),
      ];
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
    }
  });
});

describe("changing", () => {
  it("changes only the given fields, and answers the channel", async () => {
    const path = await made(WEBHOOK);
    const { status, body } = await call("PATCH", path, { name: "Ops", enabled: false });
    expect([status, body]).toMatchObject([200, { name: "Ops", enabled: false, target_hint: "hooks.example:8443" }]);
    expect(body).not.toHaveProperty("signing_secret");
    expect((await call("GET", path)).body).toEqual(body);
  });

  it("changes URL and secret independently, and shows a new secret once", async () => {
    const { body } = await create(WEBHOOK);
    const path = `/v1/channels/${body.id}`;
    await call("PATCH", path, { url: "https://new.example/in" });
    await call("POST", `${path}/test`);
    const rotated = await call("PATCH", path, { rotate_secret: true });
    expect([rotated.status, rotated.headers.get("Cache-Control")]).toEqual([200, "no-store, no-transform"]);
    expect(rotated.body).toMatchObject({ signing_secret: expect.stringMatching(SECRET), target_hint: "new.example" });
    expect(rotated.body.signing_secret).not.toBe(body.signing_secret);
    await call("POST", `${path}/test`);
    expect(notifier().sent).toMatchObject([
      { target: "https://new.example/in", secret: body.signing_secret },
      { target: "https://new.example/in", secret: rotated.body.signing_secret },
    ]);
  });

  it("changes e-mail addresses and a Slack URL", async () => {
    const [slack, email] = [await made(SLACK), await made(EMAIL)];
    await call("PATCH", slack, { url: "https://hooks.slack.com/services/other" });
    expect((await call("PATCH", email, { to: "dee@other.example" })).body.target_hint).toBe("…@other.example");
    for (const path of [slack, email]) await call("POST", `${path}/test`);
    expect(notifier().sent.map(({ target }) => target)).toEqual([
      "https://hooks.slack.com/services/other",
      ["dee@other.example"],
    ]);
  });

  it.each([
    ["to", SLACK, { to: "ann@example.com" }],
    ["rotate_secret", SLACK, { rotate_secret: true }],
    ["url", EMAIL, { url: "https://hooks.example/in" }],
    ["to", WEBHOOK, { to: "ann@example.com" }],
    ["url", WEBHOOK, { url: "https://localhost/in" }],
    ["kind", SLACK, { kind: "webhook" }],
    ["tenant_id", SLACK, { tenant_id: null }],
    ["name", SLACK, { name: null }],
  ])("answers 422 naming %s, and changes nothing: %j %j", async (field, body, change) => {
    const path = await made(body);
    const before = await db.query("select * from notification_channels");
    const answer = await call("PATCH", path, { ...change });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
    expect(await db.query("select * from notification_channels")).toEqual(before);
  });

  it("keeps the secret when rotate_secret is false", async () => {
    expect((await call("PATCH", await made(SLACK), { rotate_secret: false })).status).toBe(200);
  });

  it("asks for a new target when it cannot decrypt the old one, and accepts it", async () => {
    const path = await made(WEBHOOK);
    loseEncryptionKey();
    const answer = await call("PATCH", path, { url: "https://new.example/in" });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ["url"]]);
    const mended = await call("PATCH", path, { url: "https://new.example/in", rotate_secret: true });
    expect([mended.status, mended.body.target_hint]).toEqual([200, "new.example"]);
    expect((await call("POST", `${path}/test`)).status).toBe(200);
  });

  it("deletes a channel once: 204, then 404", async () => {
    const path = await made(SLACK);
    const statuses = [(await call("DELETE", path)).status, (await call("DELETE", path)).status];
    expect([...statuses, (await call("GET", path)).status]).toEqual([204, 404, 404]);
  });

  it("refuses changes, deletions and tests with a read token", async () => {
    const path = await made(SLACK);
    expect((await call("PATCH", path, { name: "x" }, READER)).status).toBe(403);
    expect((await call("DELETE", path, undefined, READER)).status).toBe(403);
    expect((await call("POST", `${path}/test`, undefined, READER)).status).toBe(403);
    expect((await call("GET", path, undefined, READER)).status).toBe(200);
  });
});
