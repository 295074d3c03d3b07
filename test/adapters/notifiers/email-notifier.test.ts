// E-mail by Resend, by Cloudflare's binding and by what stands for it: which sends, and what their errors mean.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Inbox, startInbox } from "../../../dev/inbox/start.ts";
import { type EmailBinding, emailNotifier } from "../../../src/adapters/notifiers/email-notifier.ts";
import type { EmailProvider } from "../../../src/ports/policy.ts";
import { HANG, LOCAL, type Receiver, SHORT_MS, STRICT, startReceiver } from "./notifier-receiver.ts";

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

const by = (provider: Partial<EmailProvider>, binding?: EmailBinding, policy = LOCAL) =>
  emailNotifier({ ...NOBODY, ...provider }, binding, policy, SHORT_MS)(TO, MESSAGE, "notice_1_2");

const resend = () => ({ resend: { url: receiver.url, apiKey: "re_topsecret" } });

describe("which provider sends", () => {
  it("N4: without a sender's address e-mail is not configured, and nothing is thrown", async () => {
    const outcome = await by({ ...resend(), from: null });
    expect(outcome).toEqual({ kind: "not_configured", why: "EMAIL_FROM is not set" });
    expect(receiver.calls).toEqual([]);
  });

  it("N4: with neither Resend nor the binding e-mail is not configured", async () => {
    expect(await by({})).toMatchObject({ kind: "not_configured" });
  });

  it("Resend goes before the binding", async () => {
    const binding = bindingThat(() => Promise.reject(new Error("not me")));
    expect(await by(resend(), binding)).toEqual({ kind: "sent" });
  });

  it("a provider's address that is not public counts as none outside a developer's machine", async () => {
    const why = "the e-mail provider's address must begin with https://";
    expect(await by(resend(), undefined, STRICT)).toEqual({ kind: "not_configured", why });
    expect(await by({ bindingEndpoint: receiver.url }, undefined, STRICT)).toEqual({ kind: "not_configured", why });
    expect(receiver.calls).toEqual([]);
  });
});

describe("Resend", () => {
  it("takes the message with its key and the notice's idempotency key", async () => {
    expect(await by(resend())).toEqual({ kind: "sent" });
    const [call] = receiver.calls;
    expect(call?.path).toBe("/emails");
    expect(call?.headers.get("authorization")).toBe("Bearer re_topsecret");
    expect(call?.headers.get("idempotency-key")).toBe("notice_1_2");
    expect(JSON.parse(call?.body ?? "")).toEqual({ from: FROM, to: TO, ...MESSAGE });
  });

  it("an error that is final is told by its name and without its message", async () => {
    receiver.answers(422, '{"statusCode":422,"name":"validation_error","message":"ops@example.com is not allowed"}');
    expect(await by(resend())).toEqual({ kind: "rejected", why: "status 422, validation_error" });
  });

  it.each([
    [429, "rate_limit_exceeded"],
    [429, "daily_quota_exceeded"],
    [500, "application_error"],
  ])("status %i, %s, is worth another try", async (status, name) => {
    receiver.answers(status, JSON.stringify({ name }), { "retry-after": "60" });
    expect(await by(resend())).toEqual({ kind: "failed", why: `status ${status}, ${name}`, retryAfterSeconds: 60 });
  });

  it("an attempt that meets an earlier one under way is tried again", async () => {
    receiver.answers(409, '{"name":"concurrent_idempotent_requests"}');
    expect(await by(resend())).toMatchObject({ kind: "failed", why: "concurrent_idempotent_requests" });
    receiver.answers(409, '{"name":"invalid_idempotent_request"}');
    expect(await by(resend())).toMatchObject({ kind: "rejected" });
  });

  it("the same notice twice is one e-mail", async () => {
    const provider = { resend: { url: `${inbox.url}/resend`, apiKey: "re_1" } };
    expect(await by(provider)).toEqual({ kind: "sent" });
    expect(await by(provider)).toEqual({ kind: "sent" });
    expect(inbox.messages({ kind: "email" })).toHaveLength(1);
  });

  it("hangs: given up, and tried again", async () => {
    receiver.setFault(HANG);
    expect(await by(resend())).toEqual({ kind: "failed", why: "no answer in time", retryAfterSeconds: null });
  });
});

describe("Cloudflare's binding", () => {
  it("takes the message", async () => {
    const sent: unknown[] = [];
    const binding = bindingThat(async (envelope) => sent.push(envelope));
    expect(await by({}, binding)).toEqual({ kind: "sent" });
    expect(sent).toEqual([{ from: FROM, to: TO, ...MESSAGE }]);
  });

  it.each(["E_RATE_LIMIT_EXCEEDED", "E_DAILY_LIMIT_EXCEEDED", "E_INTERNAL_SERVER_ERROR", "E_DELIVERY_FAILED"])(
    "%s is worth another try",
    async (code) => {
      expect(await by({}, throwing(code))).toEqual({ kind: "failed", why: code, retryAfterSeconds: null });
    },
  );

  it.each(["E_SENDER_NOT_VERIFIED", "E_RECIPIENT_SUPPRESSED", "E_VALIDATION_ERROR", "E_RECIPIENT_NOT_ALLOWED"])(
    "%s is final",
    async (code) => {
      expect(await by({}, throwing(code))).toEqual({ kind: "rejected", why: code });
    },
  );

  it("an error without a code is tried again, and its message is not repeated", async () => {
    const binding = bindingThat(() => Promise.reject(new Error("connection to ops@example.com lost")));
    expect(await by({}, binding)).toEqual({
      kind: "failed",
      why: "the EMAIL binding failed",
      retryAfterSeconds: null,
    });
  });

  it("hangs: given up, and tried again", async () => {
    const binding = bindingThat(() => new Promise(() => {}));
    expect(await by({}, binding)).toEqual({ kind: "failed", why: "no answer in time", retryAfterSeconds: null });
  });
});

describe("what stands for the binding on a developer's machine", () => {
  it("takes the message", async () => {
    expect(await by({ bindingEndpoint: inbox.url })).toEqual({ kind: "sent" });
    expect(inbox.messages({ kind: "email", accepted: true })).toHaveLength(1);
  });

  it("its codes mean what the binding's mean", async () => {
    const failing = async (code: string, status: number) => {
      inbox.fail({ kind: "email", how: { status, code } });
      return by({ bindingEndpoint: inbox.url });
    };
    expect(await failing("E_RATE_LIMIT_EXCEEDED", 500)).toMatchObject({ kind: "failed", why: "E_RATE_LIMIT_EXCEEDED" });
    expect(await failing("E_RECIPIENT_SUPPRESSED", 400)).toEqual({ kind: "rejected", why: "E_RECIPIENT_SUPPRESSED" });
    inbox.fail(null);
  });

  it("without a code its status counts", async () => {
    receiver.answers(502, "<html>");
    expect(await by({ bindingEndpoint: receiver.url })).toMatchObject({ kind: "failed", why: "status 502" });
  });
});
