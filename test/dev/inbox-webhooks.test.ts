// How the inbox verifies Bursar's outgoing webhooks, with the library of the Standard Webhooks specification, and
// counts repeats.

import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type Inbox, startInbox } from "../../dev/inbox/start.ts";

const secretOf = (letter: string) => `whsec_${btoa(letter.repeat(32))}`;
const EVENT = JSON.stringify({ type: "budget.warning", data: { tenant_id: "acme" } });

let inbox: Inbox;
beforeAll(async () => {
  inbox = await startInbox(0);
  inbox.trust("ops", [secretOf("a"), secretOf("b")]);
});
beforeEach(() => inbox.clear());
afterAll(() => inbox.stop());

function signed(secret: string, { id = "msg_1", at = new Date() } = {}): Record<string, string> {
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
    "webhook-signature": new Webhook(secret).sign(id, at, EVENT),
  };
}

async function send(headers: Record<string, string>, { name = "ops", body = EVENT } = {}): Promise<number> {
  return (await fetch(`${inbox.url}/webhook/${name}`, { method: "POST", headers, body })).status;
}

const newest = () => inbox.messages()[0];

it.each(["a", "b"])("accepts a call signed with any trusted secret (%s)", async (letter) => {
  expect(await send(signed(secretOf(letter)))).toBe(200);
  expect(newest()).toMatchObject({
    kind: "webhook",
    via: "webhook",
    signature: "valid",
    accepted: true,
    summary: "budget.warning",
    body: JSON.parse(EVENT) as object,
  });
  expect(Object.keys(newest()?.headers ?? {})).toEqual(
    expect.arrayContaining(["webhook-id", "webhook-timestamp", "webhook-signature"]),
  );
});

it.each([
  ["another secret", signed(secretOf("c")), EVENT],
  ["another body", signed(secretOf("a")), `${EVENT} `],
  ["a time six minutes ago", signed(secretOf("a"), { at: new Date(Date.now() - 360_000) }), EVENT],
])("refuses a call signed for %s as invalid", async (_, headers, body) => {
  expect(await send(headers, { body })).toBe(401);
  expect(newest()).toMatchObject({ signature: "invalid", accepted: false, status: 401 });
  expect(newest()?.problems).toHaveLength(1);
});

it("refuses a call without a signature as missing", async () => {
  expect(await send({ "webhook-id": "msg_1" })).toBe(401);
  expect(newest()).toMatchObject({ signature: "missing", accepted: false });
});

it("marks a call to a webhook with an unregistered secret as unknown", async () => {
  expect(await send(signed(secretOf("a")), { name: "stranger" })).toBe(200);
  expect(newest()).toMatchObject({ signature: "unknown_secret", accepted: true });
});

it("registers secrets over HTTP too, and refuses an invalid secret", async () => {
  const put = (secrets: unknown) =>
    fetch(`${inbox.url}/webhook-secrets/new`, { method: "PUT", body: JSON.stringify({ secrets }) });
  expect((await put([secretOf("n")])).status).toBe(200);
  expect((await put(["whsec_***"])).status).toBe(400);
  expect((await put([])).status).toBe(400);
  expect(await send(signed(secretOf("n")), { name: "new" })).toBe(200);
  expect(newest()?.signature).toBe("valid");
});

it("counts the repeats of a webhook-id per webhook, including failed attempts", async () => {
  inbox.fail({ kind: "webhook", how: { status: 500 }, times: 1 });
  await send(signed(secretOf("a")));
  await send(signed(secretOf("a")));
  await send(signed(secretOf("a"), { id: "msg_2" }));
  await send(signed(secretOf("a")), { name: "stranger" });
  const seen = inbox.messages().map(({ path, repeats, accepted }) => [path, repeats, accepted]);
  expect(seen.toReversed()).toEqual([
    ["/webhook/ops", 0, false],
    ["/webhook/ops", 1, true],
    ["/webhook/ops", 0, true],
    ["/webhook/stranger", 0, true],
  ]);
});

it("verifies a call that a scripted failure refuses", async () => {
  inbox.fail({ kind: "webhook", how: { status: 503 }, times: 1 });
  expect(await send(signed(secretOf("a")))).toBe(503);
  expect(newest()).toMatchObject({ signature: "valid", accepted: false, status: 503 });
});
