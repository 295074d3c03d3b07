// `/v1/audit` over HTTP: its access, and that it shows administrators' changes without secrets.

import { expect, it } from "vitest";
import { NOW } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { READER, useNoticesApi } from "../../support/worlds/notices-api.ts";
import { fieldsOf } from "../../support/worlds/tenants-api.ts";

const { db, tenants, createTenant, call } = useNoticesApi();
const SLACK = { kind: "slack", name: "Ops", url: "https://hooks.slack.com/services/very-secret" };
const get = (query = "") => call("GET", `/v1/audit${query}`);

it("shows actor, action, request, and the values before and after", async () => {
  const created = await call("POST", "/v1/channels", SLACK);
  const changed = await call("PATCH", `/v1/channels/${created.body.id}`, { name: "Night", url: SLACK.url });
  const filters = { events: null, min_severity: "info" };
  const target = { kind: "slack", target_hint: "hooks.slack.com" };
  const shown = { id: created.body.id, tenant_id: null, ...target, enabled: true, ...filters };
  const { status, body } = await get();
  expect(status).toBe(200);
  expect(body).toEqual({
    data: [
      {
        id: expect.any(Number),
        at: new Date(NOW).toISOString(),
        actor: "alice",
        action: "channel_changed",
        tenant_id: null,
        request_id: changed.headers.get("X-Request-Id"),
        before: { ...shown, name: "Ops" },
        after: { ...shown, name: "Night" },
        detail: { target_changed: true },
      },
      expect.objectContaining({ action: "channel_created", before: null, after: { ...shown, name: "Ops" } }),
    ],
    next_cursor: null,
  });
});

it("shows the amounts of a detail as numbers, and its other fields as they are", async () => {
  const detail = { spend: "412.5", cost: "0.000000001", spend_before: null, webhook: "12", count: 3 };
  await db.query(
    "insert into audit_log (at, actor, action, detail) values (now(), 'litellm', 'webhook_received', $1)",
    [detail],
  );
  const [line] = (await get("?actor=litellm")).body.data;
  expect(line.detail).toEqual({ ...detail, spend: 412.5, cost: 0.000000001 });
});

it("pages by cursor, and filters by tenant, even a deleted one", async () => {
  await createTenant();
  await call("POST", "/v1/channels", SLACK);
  await call("POST", "/v1/channels", { ...SLACK, tenant_id: "acme" });
  await tenants.markDeleted(idOf("acme"), anActor());
  await tenants.remove(idOf("acme"));
  const first = await get("?tenant_id=acme&limit=2");
  const second = await get(`?tenant_id=acme&limit=2&cursor=${first.body.next_cursor}`);
  const actions = [first, second].map(({ body }) => body.data.map(({ action }: { action: string }) => action));
  expect(actions).toEqual([["tenant_deleted", "channel_created"], ["tenant_created"]]);
  expect(second.body.next_cursor).toBeNull();
  expect((await get()).body.data).toHaveLength(4);
});

it.each([
  ["limit", "limit=x"],
  ["cursor", "cursor=0"],
  ["cursor", "cursor=-1"],
  ["cursor", "cursor=1e3"],
  ["cursor", "cursor=99999999999999999999"],
  ["tenant_id", "tenant_id=a%20b"],
])("answers 422 naming %s: ?%s", async (field, query) => {
  const answer = await get(`?${query}`);
  expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
});

it("accepts admin tokens only", async () => {
  expect((await call("GET", "/v1/audit", undefined, READER)).status).toBe(403);
});
