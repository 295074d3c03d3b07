// Outgoing webhooks, against a real server; signatures are verified by the specification's own library.

import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { webhookNotifier } from "../../../src/adapters/notifiers/webhook-notifier.ts";
import { HANG, LOCAL, type Receiver, SHORT_MS, STRICT, startReceiver } from "./notifier-receiver.ts";

const SECRET = `whsec_${btoa("0123456789abcdef0123456789abcdef")}`;
const BODY = JSON.stringify({ type: "budget.blocked", data: { tenant_name: "Ácme 🚀" } });

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.stop());
beforeEach(() => receiver.answers(200, "ok"));

const send = (secret = SECRET, sentAt = Date.now()) =>
  webhookNotifier(LOCAL, SHORT_MS)(`${receiver.url}/hook`, secret, { body: BODY, webhookId: "notice_1_2", sentAt });

const headers = () => Object.fromEntries(receiver.calls[0]?.headers ?? []);

it("sends the body as it is, under a signature that the specification's library accepts", async () => {
  expect(await send()).toEqual({ kind: "sent" });
  expect(receiver.calls[0]?.body).toBe(BODY);
  expect(headers()).toMatchObject({ "content-type": "application/json", "webhook-id": "notice_1_2" });
  expect(new Webhook(SECRET).verify(receiver.calls[0]?.body ?? "", headers())).toEqual(JSON.parse(BODY));
});

it("another secret, another body and another id are refused by it", async () => {
  await send();
  const other = new Webhook(btoa("another secret of thirty-two byt"));
  expect(() => other.verify(BODY, headers())).toThrow();
  expect(() => new Webhook(SECRET).verify(`${BODY} `, headers())).toThrow();
  expect(() => new Webhook(SECRET).verify(BODY, { ...headers(), "webhook-id": "notice_1_3" })).toThrow();
});

it("the timestamp is sentAt in whole seconds", async () => {
  await send(SECRET, Date.UTC(2026, 10, 15, 12, 0, 0, 999));
  expect(headers()["webhook-timestamp"]).toBe("1794744000");
});

it("a secret that holds no key signs nothing", async () => {
  await expect(send("whsec_")).rejects.toThrow("empty or malformed");
  expect(receiver.calls).toEqual([]);
});

it.each([200, 201, 202, 204])("status %i is sent", async (status) => {
  receiver.answers(status);
  expect(await send()).toEqual({ kind: "sent" });
});

it("what a receiver answers is not repeated: only its status counts", async () => {
  receiver.answers(410, "gone_for_good");
  expect(await send()).toEqual({ kind: "rejected", why: "status 410" });
  receiver.answers(500, "internal_error", { "retry-after": "12" });
  expect(await send()).toEqual({ kind: "failed", why: "status 500", retryAfterSeconds: 12 });
});

it("a redirect is refused, and the event does not go where it points", async () => {
  receiver.answers(307, "", { location: `${receiver.url}/elsewhere` });
  expect(await send()).toMatchObject({ kind: "rejected" });
  expect(receiver.calls.map(({ path }) => path)).toEqual(["/hook"]);
});

it("a receiver that hangs is given up, and tried again later", async () => {
  receiver.setFault(HANG);
  expect(await send()).toEqual({ kind: "failed", why: "no answer in time", retryAfterSeconds: null });
});

it("nothing goes to a private host", async () => {
  const event = { body: BODY, webhookId: "notice_1_2", sentAt: 0 };
  const outcome = await webhookNotifier(STRICT)(`https://localhost:${receiver.port}/hook`, SECRET, event);
  expect(outcome).toEqual({ kind: "rejected", why: "the target must lead to a public host" });
});
