// Channels of PagerDuty, Teams and Discord over HTTP: their targets, what is shown of them, and a test.

import { describe, expect, it } from "vitest";
import { useNoticesApi } from "../../support/worlds/notices-api.ts";
import { fieldsOf } from "../../support/worlds/tenants-api.ts";

const { db, policy, call, notifier } = useNoticesApi();

const KEY = "0123456789abcdef0123456789SECRET";
const PAGERDUTY = { kind: "pagerduty", name: "On call", routing_key: KEY };
const TEAMS = {
  kind: "teams",
  name: "Finance",
  url: "https://prod-7.westeurope.logic.azure.com:443/workflows/SECRET?sig=SECRET",
};
const DISCORD = { kind: "discord", name: "Ops", url: "https://discord.com/api/webhooks/1/SECRET" };

const create = (body: object) => call("POST", "/v1/channels", body);

describe.each([
  ["pagerduty", PAGERDUTY, "events.pagerduty.com", KEY],
  ["teams", TEAMS, "prod-7.westeurope.logic.azure.com", TEAMS.url],
  ["discord", DISCORD, "discord.com", DISCORD.url],
] as const)("a channel of kind %s", (kind, body, hint, target) => {
  it("takes its target, shows a host alone, and keeps its target encrypted", async () => {
    const created = await create(body);
    expect([created.status, created.body.kind, created.body.target_hint]).toEqual([201, kind, hint]);
    const shown = [created.body, (await call("GET", "/v1/channels")).body, (await call("GET", "/v1/audit")).body];
    expect(JSON.stringify(shown)).not.toContain("SECRET");
    const rows = await db.query("select * from notification_channels");
    expect(JSON.stringify(rows)).not.toContain("SECRET");
  });

  it("sends a test to its target, with a button when the address of the pages is known", async () => {
    policy.publicUrl = "https://bursar.example.com";
    const { id } = (await create(body)).body;
    expect((await call("POST", `/v1/channels/${id}/test`)).body).toEqual({ status: "sent" });
    expect(notifier().sent).toMatchObject([{ kind, target }]);
  });
});

describe("changing", () => {
  it("replaces the target of each kind", async () => {
    const changes = [
      [PAGERDUTY, { routing_key: "f".repeat(32) }, "f".repeat(32)],
      [TEAMS, { url: "https://x.api.powerplatform.com/hook" }, "https://x.api.powerplatform.com/hook"],
      [DISCORD, { url: "https://discordapp.com/api/webhooks/2/x" }, "https://discordapp.com/api/webhooks/2/x"],
    ] as const;
    for (const [body, change] of changes) {
      const { id } = (await create(body)).body;
      expect((await call("PATCH", `/v1/channels/${id}`, change)).status).toBe(200);
      await call("POST", `/v1/channels/${id}/test`);
    }
    expect(notifier().sent.map(({ target }) => target)).toEqual(changes.map(([, , target]) => target));
  });

  it("refuses a part that the kind does not have", async () => {
    const { id } = (await create(PAGERDUTY)).body;
    const answer = await call("PATCH", `/v1/channels/${id}`, { url: DISCORD.url, rotate_secret: true });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ["rotate_secret", "url"]]);
    const slack = await create({ kind: "slack", name: "s", url: "https://hooks.slack.com/services/x" });
    const other = await call("PATCH", `/v1/channels/${slack.body.id}`, { routing_key: KEY });
    expect([other.status, fieldsOf(other)]).toEqual([422, ["routing_key"]]);
  });

  it("refuses the host of another provider, when creating and when changing", async () => {
    const { id } = (await create(DISCORD)).body;
    const answer = await call("PATCH", `/v1/channels/${id}`, { url: "https://discord.com.evil.example/api" });
    expect(answer.body.errors).toEqual([{ field: "url", message: "must lead to discord.com or discordapp.com" }]);
    expect(fieldsOf(await create({ ...TEAMS, url: DISCORD.url }))).toEqual(["url"]);
    policy.allowsLocalTargets = true;
    expect((await create({ ...TEAMS, url: "http://127.0.0.1:8025/teams/a" })).status).toBe(201);
  });

  it("answers 404 to a new URL of no channel", async () => {
    const path = "/v1/channels/00000000-0000-4000-8000-000000000000";
    expect((await call("PATCH", path, { url: DISCORD.url })).status).toBe(404);
  });
});

it.each(["", "short", "x".repeat(33), "0123456789abcdef0123456789abcd!!"])(
  "refuses the routing key %j",
  async (key) => {
    const answer = await create({ ...PAGERDUTY, routing_key: key });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, ["routing_key"]]);
  },
);
