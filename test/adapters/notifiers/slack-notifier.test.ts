// Slack incoming webhooks against a real server: the outcome of every kind of answer. The rules hold for all providers.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startInbox } from "../../../dev/inbox/start.ts";
import { SAMPLES } from "../../../dev/notices/samples.ts";
import { PROVIDER_TIMEOUT_MS } from "../../../src/adapters/notifiers/provider-post.ts";
import { slackNotifier } from "../../../src/adapters/notifiers/slack-notifier.ts";
import { slackMessage } from "../../../src/notices/providers/slack.ts";
import { HANG, LOCAL, PATIENT_MS, type Receiver, SHORT_MS, STRICT, startReceiver } from "./notifier-receiver.ts";

const MESSAGE = { text: "Acme has used 82.5 % of its budget", blocks: [{ type: "divider" }] };
const PATH = "/services/T000/B000/topsecret";

let receiver: Receiver;
const send = (timeoutMs = PATIENT_MS) => slackNotifier(LOCAL, timeoutMs)(`${receiver.url}${PATH}`, MESSAGE);

beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.stop());
beforeEach(() => receiver.answers(200, "ok"));

describe("Slack's answers", () => {
  it("reports sent after one JSON request", async () => {
    expect(await send()).toEqual({ kind: "sent" });
    expect(receiver.calls).toHaveLength(1);
    const [call] = receiver.calls;
    expect(call?.path).toBe(PATH);
    expect(call?.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(call?.body ?? "")).toEqual(MESSAGE);
  });

  it("reports sent for any 200", async () => {
    receiver.answers(200, "<html>fine</html>");
    expect(await send()).toEqual({ kind: "sent" });
  });

  it("waits after status 429, which is no failure", async () => {
    receiver.answers(429, "rate_limited");
    expect(await send()).toEqual({ kind: "rate_limited", why: "status 429, rate_limited", retryAfterSeconds: null });
  });

  it.each([408, 500, 502, 503, 504])("retries after status %i", async (status) => {
    receiver.answers(status, "rate_limited");
    expect(await send()).toEqual({ kind: "failed", why: `status ${status}, rate_limited`, retryAfterSeconds: null });
  });

  it.each([400, 401, 403, 404, 405, 410, 413, 422])("does not retry after status %i", async (status) => {
    receiver.answers(status, "no_service");
    expect(await send()).toEqual({ kind: "rejected", why: `status ${status}, no_service` });
  });

  it("shows an error name that ends in a line break", async () => {
    receiver.answers(404, "no_service\n");
    expect(await send()).toEqual({ kind: "rejected", why: "status 404, no_service" });
  });

  it.each([
    "<html>topsecret</html>",
    "https://hooks.slack.com/services/T0/B0/topsecret",
    "xoxb-1234567890",
    "a".repeat(49),
    "two words",
  ])("does not show the answer %j, which is not an error name", async (body) => {
    receiver.answers(404, body);
    expect(await send()).toEqual({ kind: "rejected", why: "status 404" });
  });

  it("reads only the beginning of an endless answer", async () => {
    const chunk = new TextEncoder().encode("x".repeat(1_000));
    receiver.answers(400, new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }));
    expect(await send()).toEqual({ kind: "rejected", why: "status 400" });
  });

  it.each([301, 302, 303, 307, 308])("refuses a redirect (%i) without following it", async (status) => {
    receiver.answers(status, "", { location: `${receiver.url}/elsewhere` });
    expect(await send()).toEqual({ kind: "rejected", why: `status ${status}: redirects are not followed` });
    expect(receiver.calls.map(({ path }) => path)).toEqual([PATH]);
  });
});

describe("no answer", () => {
  it("times out on a hanging provider, and retries later", async () => {
    receiver.setFault(HANG);
    const startedAt = performance.now();
    expect(await send(SHORT_MS)).toEqual({ kind: "unanswered", why: "no answer in time" });
    // Its own timeout, not the usual one of ten seconds.
    expect(performance.now() - startedAt).toBeLessThan(PROVIDER_TIMEOUT_MS - 1_000);
  });

  it("retries later after a cut connection", async () => {
    receiver.setFault({ kind: "reset" });
    expect(await send()).toEqual({ kind: "unanswered", why: "network" });
  });
});

describe("Retry-After", () => {
  const date = "Sun, 15 Nov 2026 12:00:00 GMT";
  it.each([
    ["seconds", { "retry-after": "30" }, 30],
    ["no seconds", { "retry-after": "0" }, 0],
    ["a date, by the answer's clock", { "retry-after": "Sun, 15 Nov 2026 12:01:30 GMT", date }, 90],
    ["a date that is past", { "retry-after": "Sun, 15 Nov 2026 11:00:00 GMT", date }, 0],
    ["nothing", {}, null],
    ["a negative number", { "retry-after": "-5" }, null],
    ["a fraction", { "retry-after": "1.5" }, null],
    ["more than anybody means", { "retry-after": "99999999999" }, null],
    ["nonsense that Date.parse would read", { "retry-after": "banana 5", date }, null],
    ["a date in another form", { "retry-after": "2026-11-15T12:01:30Z", date }, null],
  ])("%s", async (_, headers, retryAfterSeconds) => {
    receiver.answers(429, "rate_limited", { ...headers });
    expect(await send()).toMatchObject({ kind: "rate_limited", retryAfterSeconds });
  });

  it("applies to 503 too", async () => {
    receiver.answers(503, "", { "retry-after": "7" });
    expect(await send()).toEqual({ kind: "rate_limited", why: "status 503", retryAfterSeconds: 7 });
  });
});

describe("allowed targets", () => {
  it("sends nothing to a private host, and does not name it", async () => {
    const outcome = await slackNotifier(STRICT, SHORT_MS)(`https://127.0.0.1:${receiver.port}${PATH}`, MESSAGE);
    expect(outcome).toEqual({ kind: "rejected", why: "the target must lead to a public host" });
    expect(receiver.calls).toEqual([]);
  });

  it("sends nothing without TLS", async () => {
    const outcome = await slackNotifier(STRICT, SHORT_MS)("http://example.com/topsecret", MESSAGE);
    expect(outcome).toEqual({ kind: "rejected", why: "the target must begin with https://" });
  });
});

it("passes Slack's checks for every kind of notice", async () => {
  const inbox = await startInbox(0);
  try {
    for (const [name, notice] of Object.entries(SAMPLES)) {
      const outcome = await slackNotifier(LOCAL)(`${inbox.url}/slack/alerts`, slackMessage(notice));
      expect([name, outcome]).toEqual([name, { kind: "sent" }]);
    }
    expect(inbox.messages({ accepted: true })).toHaveLength(Object.keys(SAMPLES).length);
  } finally {
    await inbox.stop();
  }
});
