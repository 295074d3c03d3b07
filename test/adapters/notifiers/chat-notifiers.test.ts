// PagerDuty, Teams and Discord against a real server: what is sent where, and the outcome of their own answers. The
// rules of every provider are in slack-notifier.test.ts.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startInbox } from "../../../dev/inbox/start.ts";
import { SAMPLES } from "../../../dev/notices/samples.ts";
import { discordNotifier } from "../../../src/adapters/notifiers/discord-notifier.ts";
import { pagerDutyNotifier } from "../../../src/adapters/notifiers/pagerduty-notifier.ts";
import { teamsNotifier } from "../../../src/adapters/notifiers/teams-notifier.ts";
import type { Notice } from "../../../src/notices/notice.ts";
import { discordMessage } from "../../../src/notices/providers/discord.ts";
import { pagerDutyEvent } from "../../../src/notices/providers/pagerduty.ts";
import { teamsMessage } from "../../../src/notices/providers/teams.ts";
import { HANG, LOCAL, PATIENT_MS, type Receiver, SHORT_MS, STRICT, startReceiver } from "./notifier-receiver.ts";

const ROUTING_KEY = "0123456789abcdef0123456789abcdef";
const BLOCKED = SAMPLES["blocked"] as Notice;
const EVENT = pagerDutyEvent(BLOCKED, null);
const CARD = teamsMessage(BLOCKED, null);
const EMBED = discordMessage(BLOCKED, null);

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.stop());
beforeEach(() => receiver.answers(200));

const SENDERS = {
  pagerduty: (policy = LOCAL, timeoutMs = PATIENT_MS) =>
    pagerDutyNotifier(receiver.url, policy, timeoutMs)(ROUTING_KEY, EVENT),
  teams: (policy = LOCAL, timeoutMs = PATIENT_MS) =>
    teamsNotifier(policy, timeoutMs)(`${receiver.url}/workflows/topsecret`, CARD),
  discord: (policy = LOCAL, timeoutMs = PATIENT_MS) =>
    discordNotifier(policy, timeoutMs)(`${receiver.url}/api/webhooks/1/topsecret`, EMBED),
};

it.each([
  ["pagerduty", 202, "/v2/enqueue", { ...EVENT, routing_key: ROUTING_KEY }],
  ["teams", 202, "/workflows/topsecret", CARD],
  ["discord", 204, "/api/webhooks/1/topsecret", EMBED],
] as const)("reports sent after the %s answer %i to one JSON request", async (kind, status, path, message) => {
  receiver.answers(status);
  expect(await SENDERS[kind]()).toEqual({ kind: "sent" });
  expect(receiver.calls.map((call) => [call.path, JSON.parse(call.body)])).toEqual([[path, message]]);
});

describe.each(["pagerduty", "teams", "discord"] as const)("%s", (kind) => {
  it("times out on a hanging provider, and retries later", async () => {
    receiver.setFault(HANG);
    expect(await SENDERS[kind](LOCAL, SHORT_MS)).toEqual({ kind: "unanswered", why: "no answer in time" });
  });

  it("sends nothing to a private host", async () => {
    expect(await SENDERS[kind](STRICT)).toMatchObject({ kind: "rejected" });
    expect(receiver.calls).toEqual([]);
  });

  it("shows nothing of an answer that may quote the message or the target", async () => {
    receiver.answers(
      400,
      JSON.stringify({ message: "topsecret is invalid", errors: ["topsecret"], code: "top secret" }),
    );
    expect(await SENDERS[kind]()).toEqual({ kind: "rejected", why: "status 400" });
  });
});

describe("Discord's answers", () => {
  it.each([
    ["1.2", {}, 2],
    ["0.4", { "retry-after": "65" }, 1],
  ])("waits for the %s seconds that the body of a 429 has", async (seconds, headers, retryAfterSeconds) => {
    receiver.answers(
      429,
      `{"message": "You are being rate limited.", "retry_after": ${seconds}, "global": false}`,
      headers,
    );
    expect(await SENDERS.discord()).toEqual({ kind: "rate_limited", why: "status 429", retryAfterSeconds });
  });

  it("waits for the seconds of the header when the body has none", async () => {
    receiver.answers(429, "<html>", { "retry-after": "65" });
    expect(await SENDERS.discord()).toMatchObject({ retryAfterSeconds: 65 });
  });

  it("names a webhook that is gone, and does not retry", async () => {
    receiver.answers(404, '{"message": "Unknown Webhook", "code": 10015}');
    expect(await SENDERS.discord()).toEqual({ kind: "rejected", why: "status 404, unknown_webhook" });
  });
});

it("names a workflow of Teams that is gone, and does not retry", async () => {
  receiver.answers(404, '{"error":{"code":"WorkflowNotFound","message":"The workflow topsecret is not found"}}');
  expect(await SENDERS.teams()).toEqual({ kind: "rejected", why: "status 404, WorkflowNotFound" });
});

it("reaches the inbox, with every kind of notice", async () => {
  const inbox = await startInbox(0);
  try {
    for (const [name, notice] of Object.entries(SAMPLES)) {
      const outcomes = [
        await pagerDutyNotifier(`${inbox.url}/pagerduty`, LOCAL)(ROUTING_KEY, pagerDutyEvent(notice, null)),
        await teamsNotifier(LOCAL)(`${inbox.url}/teams/a`, teamsMessage(notice, null)),
        await discordNotifier(LOCAL)(`${inbox.url}/discord/a`, discordMessage(notice, null)),
      ];
      expect([name, outcomes]).toEqual([name, [{ kind: "sent" }, { kind: "sent" }, { kind: "sent" }]]);
    }
  } finally {
    await inbox.stop();
  }
});
