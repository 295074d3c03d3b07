// What a channel asks for, and what it shows of a provider that refuses it, over the administrator's routes.

import { describe, expect, it } from "vitest";
import { NOW } from "../../budget/builders.ts";
import { useNoticesApi } from "../../support/worlds/notices-api.ts";

const SLACK = { kind: "slack", name: "Finance", url: "https://hooks.slack.com/services/T0/B0/very-secret" };

describe("the filters of a channel", () => {
  const { db, call, notifier } = useNoticesApi();

  it("are kept, changed one by one, and reset to the default by null", async () => {
    const asked = {
      ...SLACK,
      events: ["platform.litellm_out", "platform.dead_letter", "platform.litellm_out"],
      min_severity: "warning",
    };
    const { status, body } = await call("POST", "/v1/channels", asked);
    const events = ["platform.litellm_out", "platform.dead_letter"];
    expect([status, body.events, body.min_severity]).toEqual([201, events, "warning"]);
    const change = async (fields: object) => {
      const { body: changed } = await call("PATCH", `/v1/channels/${body.id}`, fields);
      return [changed.events, changed.min_severity];
    };
    expect(await change({ min_severity: "critical" })).toEqual([events, "critical"]);
    expect(await change({ events: ["budget_blocked"] })).toEqual([["budget_blocked"], "critical"]);
    expect(await change({ events: null })).toEqual([null, "critical"]);
    const lines = await db.query(
      "select after->'events' as events from audit_log where action = 'channel_changed' order by id",
    );
    expect(lines).toEqual([{ events }, { events: ["budget_blocked"] }, { events: null }]);
  });

  it("must leave something to hear: a min_severity above each of the events is a 422 that names the field", async () => {
    const deaf = { events: ["budget_reset", "platform.dead_letter"], min_severity: "critical" };
    const refused = await call("POST", "/v1/channels", { ...SLACK, ...deaf });
    expect([refused.status, refused.body.errors]).toMatchObject([422, [{ field: "min_severity" }]]);
    const { body } = await call("POST", "/v1/channels", { ...SLACK, events: ["threshold_crossed"] });
    const path = `/v1/channels/${body.id}`;
    for (const [fields, field] of [
      [{ min_severity: "critical" }, "min_severity"],
      [{ events: ["override_ended"], min_severity: "warning" }, "min_severity"],
    ] as const) {
      const answer = await call("PATCH", path, fields);
      expect([answer.status, answer.body.errors]).toMatchObject([422, [{ field }]]);
    }
    expect((await call("PATCH", path, { min_severity: "warning" })).status).toBe(200);
    const answer = await call("PATCH", path, { events: ["override_ended"] });
    expect([answer.status, answer.body.errors]).toMatchObject([422, [{ field: "events" }]]);
  });

  it("leave the channel's error alone, and a new target clears it", async () => {
    const { body } = await call("POST", "/v1/channels", SLACK);
    await db.query(
      "update notification_channels set last_error = 'status 404', last_error_at = $1, broken_since = $1",
      [new Date(NOW)],
    );
    const at = new Date(NOW).toISOString();
    const broken = { last_error: "status 404", last_error_at: at, broken_since: at };
    expect((await call("GET", `/v1/channels/${body.id}`)).body).toMatchObject(broken);
    expect((await call("PATCH", `/v1/channels/${body.id}`, { name: "Money" })).body).toMatchObject(broken);
    const mended = { last_error: null, last_error_at: null, broken_since: null };
    expect((await call("PATCH", `/v1/channels/${body.id}`, { url: `${SLACK.url}-2` })).body).toMatchObject(mended);
  });

  it("show no error any more once a test notice has been sent", async () => {
    const { body } = await call("POST", "/v1/channels", SLACK);
    const at = [new Date(NOW)];
    await db.query("update notification_channels set last_error = 'x', last_error_at = $1, broken_since = $1", at);
    expect((await call("POST", `/v1/channels/${body.id}/test`)).status).toBe(200);
    const mended = { last_error: null, last_error_at: null, broken_since: null };
    expect((await call("GET", `/v1/channels/${body.id}`)).body).toMatchObject(mended);
  });

  it("answer the test of a notice that was sent, also when Postgres is away by then", async () => {
    const { body } = await call("POST", "/v1/channels", SLACK);
    notifier().answers = () => {
      db.away();
      return { kind: "sent" };
    };
    try {
      expect((await call("POST", `/v1/channels/${body.id}/test`)).status).toBe(200);
    } finally {
      db.back();
    }
  });
});
