// The alert history over HTTP: its format, its access, and its paging.

import { beforeEach, describe, expect, it } from "vitest";
import { NOW, PERIOD_START, RESET, SECOND } from "../../budget/builders.ts";
import { insertAlert, insertChannel, insertDelivery } from "../../support/builders/alert-rows.ts";
import { aNewTenant, anActor, hashOf, idOf } from "../../support/builders/builders.ts";
import { channelIdOf, uuidOf } from "../../support/builders/notice-builders.ts";
import { ADMIN, READER, useNoticesApi } from "../../support/worlds/notices-api.ts";
import { fieldsOf } from "../../support/worlds/tenants-api.ts";

const { db, tenants, createTenant, call } = useNoticesApi();
const iso = (instant: number) => new Date(instant).toISOString();

beforeEach(async () => {
  await createTenant();
  await createTenant(aNewTenant({ tenantId: idOf("other"), subject: { kind: "key", id: hashOf("b") } }));
});

async function addAlert(end: number, { tenantId = "acme", percentage = "82.50" as string | null } = {}): Promise<void> {
  await insertAlert(db, {
    ...{ id: uuidOf(end), tenant_id: tenantId, percentage, created_at: new Date(NOW + end) },
    ...{ spend: "495", limit_amount: "600", limit_version: 3, occurrence: 1, detail: { projected_spend: "700" } },
  });
}

const get = (path: string, token = READER) => call("GET", path, undefined, token);
const idsOf = (body: { data: { id: string }[] }) => body.data.map(({ id }) => id);

it("shows an alert as of its moment, with the status of each notice", async () => {
  await addAlert(1);
  await insertChannel(db, { id: uuidOf(9), name: "Ops" });
  const due = { next_attempt_at: new Date(NOW + SECOND) };
  await insertDelivery(db, { channelId: channelIdOf(9), attempts: 2, last_error: "Slack: 500", ...due });
  const { status, body } = await get("/v1/alerts");
  expect(status).toBe(200);
  expect(body).toEqual({
    data: [
      {
        id: uuidOf(1),
        tenant_id: "acme",
        event_type: "threshold_crossed",
        threshold: 80,
        currency: "USD",
        spend: 495,
        limit: 600,
        max_budget: 500,
        used_percent: 82.5,
        period_started_at: iso(PERIOD_START),
        resets_at: iso(RESET),
        limit_version: 3,
        occurrence: 1,
        repetition: 0,
        silent: false,
        detail: { projected_spend: 700 },
        created_at: iso(NOW + 1),
        deliveries: [
          {
            channel_id: uuidOf(9),
            channel_name: "Ops",
            channel_kind: "slack",
            status: "pending",
            attempts: 2,
            next_attempt_at: iso(NOW + SECOND),
            last_error: "Slack: 500",
            sent_at: null,
          },
        ],
      },
    ],
    next_cursor: null,
  });
});

it("shows null as the used percentage of a zero limit", async () => {
  await addAlert(1, { percentage: null });
  expect((await get("/v1/alerts")).body.data).toMatchObject([{ used_percent: null, deliveries: [] }]);
});

describe.each(["/v1/alerts", "/v1/tenants/acme/alerts"])("%s", (path) => {
  it("pages from the newest while new alerts are added", async () => {
    for (const end of [1, 2, 3]) await addAlert(end);
    const first = await get(`${path}?limit=2`);
    await addAlert(4);
    const second = await get(`${path}?limit=2&cursor=${first.body.next_cursor}`);
    expect([...idsOf(first.body), ...idsOf(second.body)]).toEqual([3, 2, 1].map(uuidOf));
    expect(second.body.next_cursor).toBeNull();
  });

  it.each([
    ["limit", "limit=201"],
    ["cursor", "cursor=2026-11-15"],
    ["cursor", `cursor=${uuidOf(1)}`],
    ["cursor", "cursor=%00"],
  ])("answers 422 naming %s: ?%s", async (field, query) => {
    const answer = await get(`${path}?${query}`);
    expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
  });

  it("accepts read and admin tokens only", async () => {
    const statuses = [READER, ADMIN, "wrong"].map(async (token) => (await get(path, token)).status);
    expect(await Promise.all(statuses)).toEqual([200, 200, 401]);
  });
});

it("lists only the tenant's alerts, also of a deleted one, and answers 404 for a missing tenant", async () => {
  await addAlert(1);
  await addAlert(2, { tenantId: "other" });
  expect(idsOf((await get("/v1/tenants/other/alerts")).body)).toEqual([uuidOf(2)]);
  await tenants.markDeleted(idOf("other"), anActor());
  expect(idsOf((await get("/v1/tenants/other/alerts")).body)).toEqual([uuidOf(2)]);
  for (const id of ["nobody", "%2F"]) expect((await get(`/v1/tenants/${id}/alerts`)).status).toBe(404);
});

it("answers 503 while Postgres is down", async () => {
  db.away();
  const answer = await get("/v1/alerts").finally(() => db.back());
  expect([answer.status, answer.body.type]).toEqual([503, "urn:bursar:problem:dependency-unavailable"]);
});
