// Outgoing webhooks against a real server; the library of the specification verifies the signatures.

import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { webhookNotifier } from "../../../src/adapters/notifiers/webhook-notifier.ts";
import { HANG, LOCAL, PATIENT_MS, type Receiver, SHORT_MS, STRICT, startReceiver } from "./notifier-receiver.ts";

const SECRET = `whsec_${btoa("0123456789abcdef0123456789abcdef")}`;
const BODY = JSON.stringify({ type: "budget.blocked", data: { tenant_name: "Ácme 🚀" } });

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.stop());
beforeEach(() => receiver.answers(200, "ok"));

const send = (secret = SECRET, sentAt = Date.now(), timeoutMs = PATIENT_MS) =>
  webhookNotifier(LOCAL, timeoutMs)(`${receiver.url}/hook`, secret, { body: BODY, webhookId: "notice_1_2", sentAt });

const headers = () => Object.fromEntries(receiver.calls[0]?.headers ?? []);

it("sends the body unchanged with a signature that the specification's library accepts", async () => {
  expect(await send()).toEqual({ kind: "sent" });
  expect(receiver.calls[0]?.body).toBe(BODY);
  expect(headers()).toMatchObject({ "content-type": "application/json", "webhook-id": "notice_1_2" });
  expect(new Webhook(SECRET).verify(receiver.calls[0]?.body ?? "", headers())).toEqual(JSON.parse(BODY));
});

it("sends a signature that fails for another secret, body or id", async () => {
  await send();
  const other = new Webhook(btoa("another secret of thirty-two byt"));
  expect(() => other.verify(BODY, headers())).toThrow();
  expect(() => new Webhook(SECRET).verify(`${BODY} `, headers())).toThrow();
  expect(() => new Webhook(SECRET).verify(BODY, { ...headers(), "webhook-id": "notice_1_3" })).toThrow();
});

it("sends sentAt in whole seconds as the timestamp", async () => {
  await send(SECRET, Date.UTC(2026, 10, 15, 12, 0, 0, 999));
  expect(headers()["webhook-timestamp"]).toBe("1794744000");
});

it("throws for an empty or malformed secret", async () => {
  await expect(send("whsec_")).rejects.toThrow("empty or malformed");
  expect(receiver.calls).toEqual([]);
});

it.each([200, 201, 202, 204])("reports sent after status %i", async (status) => {
  receiver.answers(status);
  expect(await send()).toEqual({ kind: "sent" });
});

it("shows only the status of the receiver's answer", async () => {
  receiver.answers(410, "gone_for_good");
  expect(await send()).toEqual({ kind: "rejected", why: "status 410" });
  receiver.answers(500, "internal_error", { "retry-after": "12" });
  expect(await send()).toEqual({ kind: "failed", why: "status 500", retryAfterSeconds: 12 });
});

it("refuses a redirect without following it", async () => {
  receiver.answers(307, "", { location: `${receiver.url}/elsewhere` });
  expect(await send()).toMatchObject({ kind: "rejected" });
  expect(receiver.calls.map(({ path }) => path)).toEqual(["/hook"]);
});

it("times out on a hanging receiver, and retries later", async () => {
  receiver.setFault(HANG);
  expect(await send(SECRET, Date.now(), SHORT_MS)).toEqual({ kind: "unanswered", why: "no answer in time" });
});

it("sends nothing to a private host", async () => {
  const event = { body: BODY, webhookId: "notice_1_2", sentAt: 0 };
  const outcome = await webhookNotifier(STRICT)(`https://localhost:${receiver.port}/hook`, SECRET, event);
  expect(outcome).toEqual({ kind: "rejected", why: "the target must lead to a public host" });
});
