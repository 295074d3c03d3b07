// Test notices over HTTP, and secrecy: a channel never reveals its target or its signing secret.

import { beforeEach, describe, expect, it } from "vitest";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { problemOf, useNoticesApi } from "../../support/worlds/notices-api.ts";

const { db, tenants, createTenant, call, notifier, log, loseEncryptionKey } = useNoticesApi();

const SLACK = { kind: "slack", name: "Finance", url: "https://hooks.slack.com/services/T0/B0/very-secret" };
const EMAIL = { kind: "email", name: "Mail", to: ["Ann@Example.com", "bob@example.com", "cy@corp.example"] };
const WEBHOOK = { kind: "webhook", name: "Hook", url: "https://hooks.example:8443/in/very-secret?k=very-secret" };

const create = (body: object) => call("POST", "/v1/channels", body);
const made = async (body: object): Promise<string> => `/v1/channels/${(await create(body)).body.id}`;

describe("testing", () => {
  it.each([
    [SLACK, SLACK.url],
    [EMAIL, EMAIL.to],
    [WEBHOOK, WEBHOOK.url],
  ])("sends a test notice that names the channel at once: %j", async (body, target) => {
    const path = await made({ ...body, name: "Night shift" });
    const { status, body: answered } = await call("POST", `${path}/test`);
    expect([status, answered]).toEqual([200, { status: "sent" }]);
    expect(notifier().sent).toMatchObject([{ kind: body.kind, target }]);
    expect(JSON.stringify(notifier().sent[0]?.message)).toContain("Night shift");
    expect(await db.query("select * from notice_deliveries")).toEqual([]);
  });

  it("tests a disabled channel too, each time as a new notice", async () => {
    const path = await made({ ...WEBHOOK, enabled: false });
    for (let times = 0; times < 2; times++) expect((await call("POST", `${path}/test`)).status).toBe(200);
    const ids = notifier().sent.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
  });

  it.each([
    [502, "channel-failed", { kind: "rejected", why: "Slack: 404 no_service" }],
    [502, "channel-failed", { kind: "failed", why: "Slack: 429", retryAfterSeconds: null }],
    [409, "channel-not-configured", { kind: "not_configured", why: "EMAIL_FROM is not set" }],
  ] as const)("answers %i %s with the provider's error", async (status, type, outcome) => {
    notifier().answers = () => outcome;
    const answer = await call("POST", `${await made(SLACK)}/test`);
    expect(problemOf(answer)).toEqual({ status, type, detail: outcome.why });
    expect(answer.headers.get("Retry-After")).toBeNull();
  });

  it("returns the provider's Retry-After", async () => {
    notifier().answers = () => ({ kind: "failed", why: "Slack: 429", retryAfterSeconds: 29.5 });
    expect((await call("POST", `${await made(SLACK)}/test`)).headers.get("Retry-After")).toBe("30");
  });

  it("asks for a new target when it cannot decrypt the stored one", async () => {
    const path = await made(SLACK);
    loseEncryptionKey();
    const problem = problemOf(await call("POST", `${path}/test`));
    expect(problem).toMatchObject({
      status: 502,
      type: "channel-failed",
      detail: expect.stringContaining("send it again"),
    });
  });
});

describe("secrecy", () => {
  beforeEach(() => createTenant());

  it("leaves no target and no signing secret in Postgres, answers, errors or the log", async () => {
    const seen: unknown[] = [];
    const keep = async (answer: ReturnType<typeof call>) => {
      const { body } = await answer;
      const { signing_secret, ...rest } = body ?? {};
      seen.push(rest);
      return { body, secret: signing_secret as string | undefined };
    };
    const secrets: (string | undefined)[] = [];
    notifier().answers = () => {
      throw new Error("cannot reach https://hooks.slack.com/services/T0/B0/very-secret");
    };
    for (const body of [SLACK, { ...EMAIL, tenant_id: "acme" }, WEBHOOK]) {
      const { body: channel, secret } = await keep(create(body));
      const path = `/v1/channels/${channel.id}`;
      secrets.push(secret);
      secrets.push((await keep(call("PATCH", path, { rotate_secret: body.kind === "webhook" }))).secret);
      await keep(call("POST", `${path}/test`));
      loseEncryptionKey();
      await keep(call("POST", `${path}/test`));
      await keep(call("PATCH", path, { url: `${SLACK.url}\u0000`, to: ["ann@example.com very-secret"] }));
      await keep(call("GET", path));
    }
    await keep(call("GET", "/v1/channels"));
    await keep(call("GET", "/v1/audit"));
    await tenants.markDeleted(idOf("acme"), anActor());
    const stored = await db.query("select * from notification_channels, audit_log");
    const everything = JSON.stringify([seen, stored, log().lines]);
    expect(everything).toContain("hooks.slack.com");
    expect(everything).not.toMatch(/very-secret|services\/T0|ann@|bob@|whsec_/i);
    expect(secrets.filter((secret) => secret !== undefined)).toHaveLength(2);
  });
});
