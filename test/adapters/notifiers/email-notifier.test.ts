// E-mail by Resend, by Cloudflare's binding and by its stand-in: the choice of provider, and the outcome of each error.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Inbox, startInbox } from "../../../dev/inbox/start.ts";
import { type EmailBinding, emailNotifier } from "../../../src/adapters/notifiers/email-notifier.ts";
import type { EmailProvider } from "../../../src/ports/policy.ts";
import { HANG, LOCAL, PATIENT_MS, type Receiver, SHORT_MS, STRICT, startReceiver } from "./notifier-receiver.ts";

const FROM = "Bursar <budgets@example.com>";
const NOBODY: EmailProvider = { from: FROM, resend: null, bindingEndpoint: null };
const MESSAGE = { subject: "Warning: Acme", html: "<p>82.5 %</p>", text: "82.5 %" };
const TO = ["ops@example.com", "cfo@example.com"];

let receiver: Receiver;
let inbox: Inbox;
beforeAll(async () => {
  receiver = await startReceiver();
  inbox = await startInbox(0);
});
afterAll(() => Promise.all([receiver.stop(), inbox.stop()]));
beforeEach(() => {
  receiver.answers(200, '{"id":"1"}');
  inbox.clear();
});

const bindingThat = (send: EmailBinding["send"]): EmailBinding => ({ send });
const throwing = (code: string) =>
  bindingThat(() => Promise.reject(Object.assign(new Error("to ops@example.com failed"), { code })));

const by = (provider: Partial<EmailProvider>, binding?: EmailBinding, policy = LOCAL, timeoutMs = PATIENT_MS) =>
  emailNotifier({ ...NOBODY, ...provider }, binding, policy, timeoutMs)(TO, MESSAGE, "notice_1_2");

const resend = () => ({ resend: { url: receiver.url, apiKey: "re_topsecret" } });

describe("the choice of provider", () => {
  it("N4: e-mail is not configured without a sender address, and nothing is thrown", async () => {
    const outcome = await by({ ...resend(), from: null });
    expect(outcome).toEqual({ kind: "not_configured", why: "EMAIL_FROM is not set" });
    expect(receiver.calls).toEqual([]);
  });

  it("N4: e-mail is not configured without Resend and the binding", async () => {
    expect(await by({})).toMatchObject({ kind: "not_configured" });
  });

  it("prefers Resend to the binding", async () => {
    const binding = bindingThat(() => Promise.reject(new Error("not me")));
    expect(await by(resend(), binding)).toEqual({ kind: "sent" });
  });

  it("refuses a provider URL on a private host outside a developer's machine", async () => {
    const why = "the e-mail provider's address must begin with https://";
    expect(await by(resend(), undefined, STRICT)).toEqual({ kind: "not_configured", why });
    expect(await by({ bindingEndpoint: receiver.url }, undefined, STRICT)).toEqual({ kind: "not_configured", why });
    expect(receiver.calls).toEqual([]);
  });
});

describe("Resend", () => {
  it("sends the message with the API key and the notice's idempotency key", async () => {
    expect(await by(resend())).toEqual({ kind: "sent" });
    const [call] = receiver.calls;
    expect(call?.path).toBe("/emails");
    expect(call?.headers.get("authorization")).toBe("Bearer re_topsecret");
    expect(call?.headers.get("idempotency-key")).toBe("notice_1_2");
    expect(JSON.parse(call?.body ?? "")).toEqual({ from: FROM, to: TO, ...MESSAGE });
  });

  it("reports a final error by its name without its message", async () => {
    receiver.answers(422, '{"statusCode":422,"name":"validation_error","message":"ops@example.com is not allowed"}');
    expect(await by(resend())).toEqual({ kind: "rejected", why: "status 422, validation_error" });
  });

  it.each([
    [429, "rate_limit_exceeded", "rate_limited"],
    [429, "daily_quota_exceeded", "rate_limited"],
    [500, "application_error", "failed"],
  ])("retries after status %i, %s", async (status, name, kind) => {
    receiver.answers(status, JSON.stringify({ name }), { "retry-after": "60" });
    expect(await by(resend())).toEqual({ kind, why: `status ${status}, ${name}`, retryAfterSeconds: 60 });
  });

  it("retries while an earlier attempt is in progress", async () => {
    receiver.answers(409, '{"name":"concurrent_idempotent_requests"}');
    expect(await by(resend())).toMatchObject({ kind: "failed", why: "concurrent_idempotent_requests" });
    receiver.answers(409, '{"name":"invalid_idempotent_request"}');
    expect(await by(resend())).toMatchObject({ kind: "rejected" });
  });

  it("sends one e-mail for the same notice twice", async () => {
    const provider = { resend: { url: `${inbox.url}/resend`, apiKey: "re_1" } };
    expect(await by(provider)).toEqual({ kind: "sent" });
    expect(await by(provider)).toEqual({ kind: "sent" });
    expect(inbox.messages({ kind: "email" })).toHaveLength(1);
  });

  it("retries after a time-out", async () => {
    receiver.setFault(HANG);
    const outcome = await by(resend(), undefined, LOCAL, SHORT_MS);
    expect(outcome).toEqual({ kind: "unanswered", why: "no answer in time" });
  });
});

describe("Cloudflare's binding", () => {
  it("sends the message", async () => {
    const sent: unknown[] = [];
    const binding = bindingThat(async (envelope) => sent.push(envelope));
    expect(await by({}, binding)).toEqual({ kind: "sent" });
    expect(sent).toEqual([{ from: FROM, to: TO, ...MESSAGE }]);
  });

  it.each([
    ["E_RATE_LIMIT_EXCEEDED", "rate_limited"],
    ["E_DAILY_LIMIT_EXCEEDED", "rate_limited"],
    ["E_INTERNAL_SERVER_ERROR", "failed"],
    ["E_DELIVERY_FAILED", "failed"],
  ])("retries after %s", async (code, kind) => {
    expect(await by({}, throwing(code))).toEqual({ kind, why: code, retryAfterSeconds: null });
  });

  it.each(["E_SENDER_NOT_VERIFIED", "E_RECIPIENT_SUPPRESSED", "E_VALIDATION_ERROR", "E_RECIPIENT_NOT_ALLOWED"])(
    "does not retry after %s",
    async (code) => {
      expect(await by({}, throwing(code))).toEqual({ kind: "rejected", why: code });
    },
  );

  it("retries after an error without a code, and does not show its message", async () => {
    const binding = bindingThat(() => Promise.reject(new Error("connection to ops@example.com lost")));
    expect(await by({}, binding)).toEqual({
      kind: "failed",
      why: "the EMAIL binding failed",
      retryAfterSeconds: null,
    });
  });

  it("retries after a time-out", async () => {
    const outcome = await by(
      {},
      bindingThat(() => new Promise(() => {})),
      LOCAL,
      SHORT_MS,
    );
    expect(outcome).toEqual({ kind: "unanswered", why: "no answer in time" });
  });
});

describe("the stand-in for the binding", () => {
  it("sends the message", async () => {
    expect(await by({ bindingEndpoint: inbox.url })).toEqual({ kind: "sent" });
    expect(inbox.messages({ kind: "email", accepted: true })).toHaveLength(1);
  });

  it("treats error codes like the binding", async () => {
    const failing = async (code: string, status: number) => {
      inbox.fail({ kind: "email", how: { status, code } });
      return by({ bindingEndpoint: inbox.url });
    };
    expect(await failing("E_RATE_LIMIT_EXCEEDED", 500)).toMatchObject({
      kind: "rate_limited",
      why: "E_RATE_LIMIT_EXCEEDED",
    });
    expect(await failing("E_RECIPIENT_SUPPRESSED", 400)).toEqual({ kind: "rejected", why: "E_RECIPIENT_SUPPRESSED" });
    inbox.fail(null);
  });

  it("uses the status when there is no code", async () => {
    receiver.answers(502, "<html>");
    expect(await by({ bindingEndpoint: receiver.url })).toMatchObject({ kind: "failed", why: "status 502" });
  });
});
