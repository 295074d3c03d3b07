// The inbox's list of messages (filters, counts, limits, deletion) and its scripted failures.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createMailbox, MAX_MESSAGES } from "../../dev/inbox/mailbox.ts";
import type { InboxMessage } from "../../dev/inbox/message.ts";
import { type Inbox, startInbox } from "../../dev/inbox/start.ts";

let inbox: Inbox;
beforeAll(async () => {
  inbox = await startInbox(0);
});
beforeEach(() => {
  inbox.clear();
  inbox.fail(null);
});
afterAll(() => inbox.stop());

function post(path: string, body: object, patienceMs = 30_000): Promise<Response> {
  const headers = { "Content-Type": "application/json", Authorization: "Bearer re_test" };
  return fetch(inbox.url + path, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(patienceMs),
  });
}

const slack = (text: string, patienceMs?: number) => post("/slack/x", { text }, patienceMs);
const email = (subject: string, html = "<p>x</p>") =>
  post("/resend/emails", { from: "a@example.com", to: "b@example.com", subject, html });
const webhook = (data: object) => post("/webhook/x", { type: "budget.warning", ...data });

async function get<T = { data: InboxMessage[] }>(path: string): Promise<T> {
  return (await (await fetch(inbox.url + path)).json()) as T;
}

const summaries = async (query: string) => (await get(`/messages${query}`)).data.map(({ summary }) => summary);

describe("the list", () => {
  it("lists the newest message first, over HTTP as on the handle", async () => {
    for (const text of ["one", "two", "three"]) await slack(text);
    expect(await summaries("")).toEqual(["three", "two", "one"]);
    expect(await summaries("?limit=1")).toEqual(["three"]);
    expect((await get("/messages")).data).toEqual(inbox.messages());
  });

  it("filters the messages by kind and by acceptance", async () => {
    await slack("yes");
    await slack("");
    await email("mail");
    expect(await summaries("?kind=slack&accepted=true")).toEqual(["yes"]);
    expect(await summaries("?accepted=false")).toEqual([""]);
    expect(await summaries("?kind=email&accepted=")).toEqual(["mail"]);
    expect((await fetch(`${inbox.url}/messages?kind=fax`)).status).toBe(400);
  });

  it("finds a tenant in the rendered text as a word of its own, and nowhere in markup", async () => {
    await slack("acme is at 82 %");
    await slack("_acme_ in italics");
    await slack("acme-eu, acme.eu and my_acme");
    await email("blocked: acme.");
    await email("in the body", "<p>acme</p>");
    await email("in the markup", '<p class="acme">x</p>');
    expect((await summaries("?tenant=acme")).toReversed()).toEqual([
      "acme is at 82 %",
      "_acme_ in italics",
      "blocked: acme.",
      "in the body",
    ]);
    expect(inbox.messages({ tenant: "acme.eu" })).toHaveLength(1);
  });

  it("finds a tenant in an event only by its tenant_id, at the top level or in its data", async () => {
    for (const data of [{ tenant_id: "acme" }, { data: { tenant_id: "acme" } }, { data: { note: "acme" } }]) {
      // The inbox refuses events without a signature, but keeps them.
      await webhook(data);
    }
    expect(inbox.messages({ tenant: "acme" })).toHaveLength(2);
  });

  it("counts the messages by kind and by acceptance", async () => {
    await slack("yes");
    await slack("");
    await email("mail");
    const count = (query: string) => get<{ count: number }>(`/messages/count${query}`);
    expect(await count("")).toEqual({ count: 3 });
    expect(await count("?kind=slack&accepted=false")).toEqual({ count: 1 });
    expect(await count("?kind=webhook")).toEqual({ count: 0 });
  });

  it("empties the list on DELETE", async () => {
    await slack("gone");
    expect((await fetch(`${inbox.url}/messages`, { method: "DELETE" })).status).toBe(204);
    expect([inbox.messages(), await get("/messages/count")]).toEqual([[], { count: 0 }]);
  });

  it("answers 304 until a message arrives", async () => {
    const etag = (await fetch(`${inbox.url}/messages`)).headers.get("etag") ?? "";
    const again = () => fetch(`${inbox.url}/messages`, { headers: { "If-None-Match": etag } });
    expect((await again()).status).toBe(304);
    await slack("news");
    expect((await again()).status).toBe(200);
  });

  it("keeps the newest 5,000 and counts them all", () => {
    const mailbox = createMailbox();
    const message = { kind: "slack", accepted: true, summary: "", problems: [] } as unknown as InboxMessage;
    for (let at = 0; at <= MAX_MESSAGES; at++) mailbox.add({ ...message, id: String(at) });
    expect(mailbox.list()).toHaveLength(5_000);
    expect([mailbox.list()[0]?.id, mailbox.list().at(-1)?.id]).toEqual(["5000", "1"]);
    expect(mailbox.count()).toBe(5_001);
  });
});

describe("a failure", () => {
  const fail = (failure: object) =>
    fetch(`${inbox.url}/_fail`, { method: "PUT", body: JSON.stringify(failure) }).then(({ status }) => status);

  it("lasts for the configured number of calls of its kind, is recorded, and sends Retry-After", async () => {
    expect(await fail({ kind: "slack", how: { status: 429, retryAfter: "2" }, times: 2 })).toBe(200);
    const first = await slack("one");
    expect([first.status, first.headers.get("retry-after"), await first.text()]).toEqual([429, "2", "rate_limited"]);
    expect((await email("unharmed")).status).toBe(200);
    expect([(await slack("two")).status, (await slack("three")).status]).toEqual([429, 200]);
    expect(inbox.messages({ kind: "slack" }).map(({ accepted, status }) => [accepted, status])).toEqual([
      [true, 200],
      [false, 429],
      [false, 429],
    ]);
  });

  it("fails every kind until it is deleted, with each vendor's error", async () => {
    await fail({ kind: "any", how: { status: 500 } });
    expect(await (await slack("x")).text()).toBe("rollup_error");
    expect(await (await email("x")).json()).toMatchObject({ statusCode: 500, name: "application_error" });
    expect((await webhook({})).status).toBe(500);
    expect(await get("/_fail")).toEqual({ data: [{ kind: "any", how: { status: 500 } }] });
    await fetch(`${inbox.url}/_fail`, { method: "DELETE" });
    expect((await slack("x")).status).toBe(200);
  });

  it("takes precedence for its kind over a failure of any kind", async () => {
    inbox.fail({ kind: "any", how: { status: 500 } });
    inbox.fail({ kind: "slack", how: { status: 404 }, times: 1 });
    expect([(await slack("x")).status, (await slack("x")).status]).toEqual([404, 500]);
  });

  it("never answers when it is a timeout, and is recorded without a status", async () => {
    inbox.fail({ kind: "slack", how: { timeout: true }, times: 1 });
    await expect(slack("x", 1_000)).rejects.toThrow(/timeout/);
    await expect
      .poll(() => inbox.messages(), { timeout: 30_000 })
      .toMatchObject([{ accepted: false, status: null, summary: "x" }]);
  });

  it.each([{ kind: "fax", how: { status: 500 } }, { kind: "slack", how: { status: 200 } }, { kind: "slack" }])(
    "refuses a failure that makes no sense: %j",
    async (failure) => expect(await fail(failure)).toBe(400),
  );

  it("keeps no message when it is a fault of the whole inbox", async () => {
    inbox.setFault({ kind: "error", status: 502 });
    expect((await slack("x")).status).toBe(502);
    inbox.setFault(null);
    expect(inbox.messages()).toEqual([]);
  });
});
