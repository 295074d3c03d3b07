// Which calls each receiver of the inbox accepts and refuses, and its answers, which match those of the vendors.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Inbox, startInbox } from "../../dev/inbox/start.ts";

let inbox: Inbox;
beforeAll(async () => {
  inbox = await startInbox(0);
});
beforeEach(() => inbox.clear());
afterAll(() => inbox.stop());

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(inbox.url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  return { status: response.status, answer: isJson ? (JSON.parse(text) as unknown) : text };
}

const newest = () => inbox.messages()[0];

describe("Slack", () => {
  const send = (body: unknown) => post("/slack/services/T0/B0/secret", body);
  const plain = (text: string) => ({ type: "plain_text", text });
  const mrkdwn = (text: string) => ({ type: "mrkdwn", text });
  const many = <T>(count: number, each: T): T[] => Array.from({ length: count }, () => each);

  it("answers ok, and summarises the text on one line", async () => {
    expect(await send({ text: "acme is at\n82 %" })).toEqual({ status: 200, answer: "ok" });
    expect(newest()).toMatchObject({
      kind: "slack",
      via: "slack",
      path: "/slack/services/T0/B0/secret",
      accepted: true,
      status: 200,
      summary: "acme is at 82 %",
      body: { text: "acme is at\n82 %" },
      problems: [],
    });
  });

  it("refuses a body that is not JSON as invalid_payload, and keeps it as text", async () => {
    expect(await send("{")).toEqual({ status: 400, answer: "invalid_payload" });
    expect(newest()).toMatchObject({ accepted: false, status: 400, body: "{" });
  });

  it("refuses a message without text and blocks as no_text", async () => {
    expect(await send({ username: "x", blocks: [] })).toEqual({ status: 400, answer: "no_text" });
  });

  it.each([
    ["50 blocks", many(50, { type: "divider" })],
    ["a section of 3,000 characters", [{ type: "section", text: mrkdwn("x".repeat(3_000)) }]],
    ["a header of 150 characters", [{ type: "header", text: plain("x".repeat(150)) }]],
    ["10 fields of 2,000 characters", [{ type: "section", fields: many(10, mrkdwn("x".repeat(2_000))) }]],
    ["10 elements of a context", [{ type: "context", elements: many(10, mrkdwn("x")) }]],
  ])("takes %s", async (_, blocks) => {
    expect(await send({ blocks })).toEqual({ status: 200, answer: "ok" });
  });

  it.each([
    ["51 blocks", many(51, { type: "divider" }), "blocks: 51 of at most 50"],
    [
      "a section of 3,001 characters",
      [{ type: "section", text: mrkdwn("x".repeat(3_001)) }],
      "blocks[0].text: 3001 characters of at most 3000",
    ],
    [
      "a header of 151 characters",
      [{ type: "header", text: plain("x".repeat(151)) }],
      "blocks[0].text: 151 characters of at most 150",
    ],
    ["a header in mrkdwn", [{ type: "header", text: mrkdwn("x") }], "blocks[0].text: the type must be plain_text"],
    ["11 fields", [{ type: "section", fields: many(11, mrkdwn("x")) }], "blocks[0].fields: 11 of at most 10"],
    [
      "a field of 2,001 characters",
      [{ type: "section", fields: [mrkdwn("x".repeat(2_001))] }],
      "blocks[0].fields[0]: 2001 characters of at most 2000",
    ],
    [
      "11 elements of a context",
      [{ type: "context", elements: many(11, mrkdwn("x")) }],
      "blocks[0].elements: 11 of at most 10",
    ],
    ["an empty text", [{ type: "section", text: mrkdwn("") }], "blocks[0].text is empty"],
    ["a section of nothing", [{ type: "section" }], "blocks[0] has neither text nor fields"],
    ["a block there is not", [{ type: "constructor" }], 'blocks[0]: there is no block "constructor"'],
  ])("refuses %s as invalid_blocks and says where", async (_, blocks, problem) => {
    expect(await send({ text: "x", blocks })).toEqual({ status: 400, answer: "invalid_blocks" });
    expect(newest()).toMatchObject({ accepted: false, problems: [problem] });
  });

  it("checks the blocks of attachments too", async () => {
    const attachments = [{ color: "#fff", blocks: [{ type: "header", text: plain("x".repeat(151)) }] }];
    expect((await send({ text: "x", attachments })).answer).toBe("invalid_blocks");
    expect(newest()?.problems).toEqual(["attachments[0].blocks[0].text: 151 characters of at most 150"]);
  });
});

const EMAIL = { from: "Bursar <bursar@example.com>", to: "ops@example.com", subject: "At 82 %", text: "acme" };

describe("Resend", () => {
  const send = (body: unknown, headers: Record<string, string> = {}) =>
    post("/resend/emails", body, { Authorization: "Bearer re_test", ...headers });

  it("answers an id, and keeps the e-mail without its credential", async () => {
    const { status, answer } = await send(EMAIL);
    expect([status, answer]).toEqual([200, { id: newest()?.id }]);
    expect(newest()).toMatchObject({ kind: "email", via: "resend", summary: "At 82 %", accepted: true, body: EMAIL });
    expect(newest()?.headers).toEqual({ "content-type": "application/json" });
  });

  it.each(["", "Bearer ", "re_test"])("refuses the authorization %j", async (authorization) => {
    const { status, answer } = await send(EMAIL, { Authorization: authorization });
    expect([status, answer]).toMatchObject([401, { statusCode: 401, name: "missing_api_key" }]);
  });

  it.each(["from", "to", "subject", "text"])("refuses an e-mail without %s", async (field) => {
    const { status, answer } = await send({ ...EMAIL, [field]: undefined });
    expect([status, answer]).toMatchObject([422, { statusCode: 422, name: "missing_required_field" }]);
    expect(JSON.stringify(answer)).toContain(`\`${field}\``);
    expect(newest()).toMatchObject({ accepted: false, status: 422 });
  });

  it("refuses a tag that Resend would refuse", async () => {
    const tagged = (value: string) => send({ ...EMAIL, tags: [{ name: "tenant", value }] });
    expect([(await tagged("a b")).status, (await tagged("a-b")).status]).toEqual([422, 200]);
  });

  it("answers the same id to the same key and body, and keeps the e-mail once", async () => {
    const first = await send(EMAIL, { "Idempotency-Key": "k" });
    expect(await send(EMAIL, { "Idempotency-Key": "k" })).toEqual(first);
    expect(inbox.messages()).toHaveLength(1);
    expect(newest()?.headers).toMatchObject({ "idempotency-key": "k" });
  });

  it("refuses the same key with another body", async () => {
    await send(EMAIL, { "Idempotency-Key": "k" });
    const { status, answer } = await send({ ...EMAIL, subject: "Other" }, { "Idempotency-Key": "k" });
    expect([status, answer]).toMatchObject([409, { name: "invalid_idempotent_request" }]);
  });

  it("does not remember the key of a call that failed", async () => {
    inbox.fail({ kind: "email", how: { status: 500 }, times: 1 });
    expect((await send(EMAIL, { "Idempotency-Key": "k" })).status).toBe(500);
    expect((await send(EMAIL, { "Idempotency-Key": "k" })).status).toBe(200);
    expect(inbox.messages().map(({ accepted }) => accepted)).toEqual([true, false]);
  });
});

describe("the send_email binding", () => {
  const send = (body: unknown) => post("/send-email", body);

  it("answers a messageId for addresses as text and as objects", async () => {
    const { status, answer } = await send({ ...EMAIL, from: { email: "a@example.com", name: "A" } });
    expect([status, answer]).toEqual([200, { messageId: newest()?.id }]);
    expect(newest()).toMatchObject({ kind: "email", via: "send_email", summary: "At 82 %" });
  });

  it.each([
    ["a missing subject", { subject: "" }, "E_FIELD_MISSING"],
    ["an address that is none", { to: "ops" }, "E_VALIDATION_ERROR"],
    ["51 recipients", { to: Array.from({ length: 51 }, (_, at) => `a${at}@example.com`) }, "E_TOO_MANY_RECIPIENTS"],
    ["a header of the platform's", { headers: { "Message-ID": "<x@y>" } }, "E_HEADER_NOT_ALLOWED"],
  ])("refuses %s for good", async (_, change, code) => {
    expect(await send({ ...EMAIL, ...change })).toMatchObject({ status: 400, answer: { code } });
  });

  it.each([
    [{ status: 429 }, 500, "E_RATE_LIMIT_EXCEEDED"],
    [{ status: 503 }, 500, "E_INTERNAL_SERVER_ERROR"],
    [{ status: 400 }, 400, "E_VALIDATION_ERROR"],
    [{ status: 400, code: "E_RECIPIENT_SUPPRESSED" }, 400, "E_RECIPIENT_SUPPRESSED"],
    [{ status: 400, code: "E_DELIVERY_FAILED" }, 500, "E_DELIVERY_FAILED"],
  ])("answers a configured failure of %j with %i %s", async (how, status, code) => {
    inbox.fail({ kind: "email", how, times: 1 });
    expect(await send(EMAIL)).toMatchObject({ status, answer: { code } });
    expect(newest()).toMatchObject({ accepted: false, status });
  });
});
