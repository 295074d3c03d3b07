// The history of alerts over HTTP: the wire format, who may read it, and where it goes on.

import { beforeEach, describe, expect, it } from "vitest";
import { NOW, PERIOD_START, RESET, SECOND } from "../budget/builders.ts";
import { aNewTenant, anActor, hashOf, idOf } from "../support/builders.ts";
import { ADMIN, READER, useNoticesApi } from "../support/notices-api.ts";
import { fieldsOf } from "../support/tenants-api.ts";

const { db, tenants, createTenant, call } = useNoticesApi();
const iso = (instant: number) => new Date(instant).toISOString();
const uuid = (end: number) => `00000000-0000-4000-8000-${String(end).padStart(12, "0")}`;

beforeEach(async () => {
  await createTenant();
  await createTenant(aNewTenant({ tenantId: idOf("other"), subject: { kind: "key", id: hashOf("b") } }));
});

async function addAlert(end: number, { tenantId = "acme", percentage = "82.50" as string | null } = {}): Promise<void> {
  await db.query(
    `insert into budget_alert_history (id, tenant_id, identity, event_type, threshold, spend, max_budget, limit_amount,
      percentage, period_started_at, resets_at, limit_version, occurrence, silent, detail, created_at)
     values ($1, $2, $3, 'threshold_crossed', 80, 495, 500, 600, $4, $5, $6, 3, 1, false, '{"projected_spend": "700"}', $7)`,
    [uuid(end), tenantId, `identity-${end}`, percentage, new Date(PERIOD_START), new Date(RESET), new Date(NOW + end)],
  );
}

const get = (path: string, token = READER) => call("GET", path, undefined, token);
const idsOf = (body: { data: { id: string }[] }) => body.data.map(({ id }) => id);

it("tells what happened, as of that moment, and how each notice fares", async () => {
  await addAlert(1);
  await db.query("insert into notification_channels (id, kind, name, sealed_target) values ($1, 'slack', 'Ops', 'x')", [
    uuid(9),
  ]);
  await db.query(
    `insert into notice_deliveries (alert_id, channel_id, status, attempts, next_attempt_at, last_error)
     values ($1, $2, 'pending', 2, $3, 'Slack: 500')`,
    [uuid(1), uuid(9), new Date(NOW + SECOND)],
  );
  const { status, body } = await get("/v1/alerts");
  expect(status).toBe(200);
  expect(body).toEqual({
    data: [
      {
        id: uuid(1),
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
        silent: false,
        detail: { projected_spend: "700" },
        created_at: iso(NOW + 1),
        deliveries: [
          {
            channel_id: uuid(9),
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

it("knows no share of a limit of zero", async () => {
  await addAlert(1, { percentage: null });
  expect((await get("/v1/alerts")).body.data).toMatchObject([{ used_percent: null, deliveries: [] }]);
});

describe.each(["/v1/alerts", "/v1/tenants/acme/alerts"])("%s", (path) => {
  it("goes from the newest on, page by page, while new ones come in", async () => {
    for (const end of [1, 2, 3]) await addAlert(end);
    const first = await get(`${path}?limit=2`);
    await addAlert(4);
    const second = await get(`${path}?limit=2&cursor=${first.body.next_cursor}`);
    expect([...idsOf(first.body), ...idsOf(second.body)]).toEqual([3, 2, 1].map(uuid));
    expect(second.body.next_cursor).toBeNull();
  });

  it.each([
    ["limit", "limit=201"],
    ["cursor", "cursor=2026-11-15"],
    ["cursor", `cursor=${uuid(1)}`],
    ["cursor", "cursor=%00"],
  ])("answers 422 naming %s: ?%s", async (field, query) => {
    const answer = await get(`${path}?${query}`);
    expect([answer.status, fieldsOf(answer)]).toEqual([422, [field]]);
  });

  it("is for read and admin tokens", async () => {
    const statuses = [READER, ADMIN, "wrong"].map(async (token) => (await get(path, token)).status);
    expect(await Promise.all(statuses)).toEqual([200, 200, 401]);
  });
});

it("shows a tenant its own only, and 404 for one that is not there or is marked as deleted", async () => {
  await addAlert(1);
  await addAlert(2, { tenantId: "other" });
  expect(idsOf((await get("/v1/tenants/other/alerts")).body)).toEqual([uuid(2)]);
  await tenants.markDeleted(idOf("other"), anActor());
  for (const id of ["other", "nobody", "%2F"]) expect((await get(`/v1/tenants/${id}/alerts`)).status).toBe(404);
});

it("answers 503 when Postgres is away", async () => {
  db.away();
  const answer = await get("/v1/alerts").finally(() => db.back());
  expect([answer.status, answer.body.type]).toEqual([503, "urn:bursar:problem:dependency-unavailable"]);
});
