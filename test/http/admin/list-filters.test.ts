// The filters of the lists: by time, actor, action and event; what is unknown or sent twice is refused by name.

import { beforeEach, expect, it } from "vitest";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { insertAlert } from "../../support/builders/alert-rows.ts";
import { aNewTenant, hashOf, idOf } from "../../support/builders/builders.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { useNoticesApi } from "../../support/worlds/notices-api.ts";
import { fieldsOf } from "../../support/worlds/tenants-api.ts";

const { db, createTenant, call } = useNoticesApi();
const at = (minute: number) => new Date(NOW + minute * MINUTE);
const get = (path: string) => call("GET", path);
const idsOf = async (path: string) => (await get(path)).body.data.map(({ id }: { id: unknown }) => id);

beforeEach(async () => {
  await createTenant();
  await createTenant(aNewTenant({ tenantId: idOf("other"), subject: { kind: "key", id: hashOf("b") } }));
  await db.query("truncate audit_log restart identity");
  const lines = [
    [0, "alice", "tenant_changed", "acme"],
    [1, "bob", "tenant_changed", "acme"],
    [2, "alice", "override_granted", "other"],
    [2, "alice", "tenant_changed", "acme"],
    // Written late: the list is by time, not in the order of writing.
    [1, "bursar", "spend_fell", "acme"],
  ] as const;
  for (const [minute, actor, action, tenant] of lines) {
    const line = [at(minute), actor, action, tenant];
    await db.query("insert into audit_log (at, actor, action, tenant_id) values ($1, $2, $3, $4)", line);
  }
  await insertAlert(db, { id: uuidOf(1), created_at: at(0) });
  await insertAlert(db, { id: uuidOf(2), created_at: at(1), event_type: "budget_blocked" });
  await insertAlert(db, { id: uuidOf(3), created_at: at(2), tenant_id: "other", event_type: "budget_blocked" });
});

const since = (minute: number) => `since=${at(minute).toISOString()}`;
const until = (minute: number) => `until=${at(minute).toISOString()}`;

it.each([
  ["", [4, 3, 5, 2, 1]],
  ["actor=alice", [4, 3, 1]],
  ["action=tenant_changed", [4, 2, 1]],
  ["action=tenant_changed&tenant_id=acme&actor=bob", [2]],
  [since(1), [4, 3, 5, 2]],
  [until(1), [1]],
  [`${since(1)}&${until(2)}`, [5, 2]],
  [`actor=alice&${since(1)}`, [4, 3]],
])("the audit filtered by %s shows %j", async (query, expected) => {
  expect(await idsOf(`/v1/audit?${query}`)).toEqual(expected);
  const paged: unknown[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const { body } = await get(`/v1/audit?${query}&limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`);
    paged.push(...body.data.map(({ id }: { id: number }) => id));
    cursor = body.next_cursor;
  }
  expect(paged).toEqual(expected);
});

it.each([
  ["/v1/alerts?event_type=budget_blocked", [3, 2]],
  ["/v1/tenants/acme/alerts?event_type=budget_blocked", [2]],
  ["/v1/alerts?tenant_id=acme&event_type=budget_blocked", [2]],
  [`/v1/alerts?${since(1)}&${until(2)}`, [2]],
  [`/v1/tenants/acme/alerts?${until(1)}`, [1]],
])("%s shows %j", async (path, expected) => {
  expect(await idsOf(path)).toEqual(expected.map(uuidOf));
});

it("filters dead letters by time", async () => {
  await db.query("truncate dead_letters");
  for (const minute of [0, 1, 2]) {
    await db.query(
      "insert into dead_letters (id, queue, message_id, body, recorded_at) values ($1, 'q', $2, '{}', $3)",
      [uuidOf(minute + 1), `m${minute}`, at(minute)],
    );
  }
  expect(await idsOf(`/v1/dead-letters?${since(1)}&${until(2)}`)).toEqual([uuidOf(2)]);
});

it.each([
  ["/v1/audit?action=tenant_burnt", "action", /^must be tenant_created, .* or /],
  ["/v1/audit?actor=", "actor", /1 to 200 characters/],
  ["/v1/audit?since=yesterday", "since", /ISO 8601/],
  ["/v1/audit?actor=alice&actor=bob", "actor", /must be sent once/],
  ["/v1/alerts?event_type=blocked", "event_type", /^must be threshold_crossed, .* or /],
  ["/v1/alerts?until=2026-02-30T00:00:00Z", "until", /ISO 8601/],
  ["/v1/dead-letters?since=1", "since", /ISO 8601/],
  ["/v1/tenants/acme/overrides?until=1", "until", /ISO 8601/],
])("%s is a 422 that names %s", async (path, field, message) => {
  const answer = await get(path);
  expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
  expect(answer.body.errors[0].message).toMatch(message);
});
