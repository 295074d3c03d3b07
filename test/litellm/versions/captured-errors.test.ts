// The error responses of later versions of LiteLLM, against captures of a real 1.110.2.

import { afterEach, expect, it } from "vitest";
import type { LitellmProfile } from "../../../dev/litellm/profiles.ts";
import { type Litellm, startLitellm } from "../../../dev/litellm/start.ts";
import { startReceiver } from "../receiver.ts";
import { type Answer, type Client, captured, clientOf, hashOf, send } from "../support.ts";

let litellm: Litellm;
let client: Client;

async function start(profile: LitellmProfile = "1.110"): Promise<void> {
  litellm = await startLitellm({ callMs: 0, databaseDelayMs: 0, profile });
  client = clientOf(litellm);
}
afterEach(() => litellm.stop());

const NO_KEY = "f".repeat(64);

type Cause = (key: string) => Promise<Answer>;
const management =
  (method: "GET" | "POST", path: string, fields: Record<string, unknown> = {}): Cause =>
  (key) =>
    client.call(method, path, method === "GET" ? undefined : { ...fields, ...("key" in fields ? { key } : {}) });
const captures: [name: string, status: number, Cause][] = [
  ["key_generate.banana", 400, management("POST", "/key/generate", { budget_duration: "banana" })],
  ["key_generate.negative", 400, management("POST", "/key/generate", { max_budget: -1 })],
  ["key_update.neg", 400, management("POST", "/key/update", { key: "", max_budget: -1 })],
  ["key_update.str", 422, management("POST", "/key/update", { key: "", max_budget: "abc" })],
  ["key_delete.unknown", 404, management("POST", "/key/delete", { keys: [NO_KEY] })],
  ["team_update.unknown", 404, management("POST", "/team/update", { team_id: "nope", max_budget: 1 })],
  ["team_info.404", 404, management("GET", "/team/info?team_id=nope")],
  ["key_info.no_key.401", 401, () => send(`${litellm.url}/key/info`, "GET", {})],
  ["key_info.bad_admin_key.401", 401, () => client.call("GET", "/key/info?key=deadbeef", undefined, "sk-wrong")],
  [
    "chat_blocked_key.401",
    401,
    async (key) => {
      await client.call("POST", "/key/block", { key: hashOf(key) });
      return client.chat(key);
    },
  ],
];

it.each(captures)("answers %s as captured in 1.110", async (name, status, cause) => {
  await start();
  const answer = await cause(await client.newKey());
  expect([answer.status, answer.body]).toEqual([status, captured(`1.110.2/${name}`)]);
});

it("blocks and fails calls by the guardrail as captured in 1.110", async () => {
  const receiver = await startReceiver();
  await start();
  litellm.connect({ guardrail: { url: `${receiver.url}/guardrail`, token: "guard-secret" } });
  const key = await client.newKey();
  const blocked = captured("1.110.2/chat_guardrail.block");
  receiver.answer = () => ({ body: JSON.stringify({ action: "BLOCKED", blocked_reason: blocked.error.message }) });
  const refused = await client.chat(key);
  expect([refused.status, refused.body]).toEqual([400, blocked]);
  receiver.answer = () => ({ status: 503 });
  const failed = await client.chat(key);
  const capture = captured("1.110.2/chat_guardrail.503");
  const message = capture.error.message.replace("http://REDACTED:21010", receiver.url);
  expect([failed.status, failed.body]).toEqual([500, { error: { ...capture.error, message } }]);
  await receiver.stop();
});

it.each([
  ["1.83", "None", 400],
  ["1.103", "None", 401],
  ["1.110", null, 401],
] as const)("refuses callers in %s with the param %j, and an expired key with %d", async (profile, param, status) => {
  await start(profile);
  const key = await client.newKey({ duration: "1s" });
  await client.call("POST", "/key/block", { key: hashOf(key) });
  const { error } = (await client.chat(key)).body;
  const message = "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin.";
  expect(error).toEqual({ message, type: "auth_error", param, code: "401" });
  await client.call("POST", "/key/unblock", { key: hashOf(key) });
  await expect.poll(async () => (await client.chat(key)).status, { timeout: 3_000 }).toBe(status);
});

it.each([
  ["1.83", "internal_server_error", "None", "max_budget cannot be negative. Received: -1.0"],
  ["1.103", "internal_server_error", null, "max_budget must be a non-negative finite number. Received: -1.0"],
  ["1.110", "invalid_request_error", null, "max_budget must be a non-negative finite number. Received: -1.0"],
] as const)("refuses a negative budget of a team in %s with the type %s and the param %j", async (profile, ...rest) => {
  await start(profile);
  const [type, param, message] = rest;
  const { status, body } = await client.call("POST", "/team/new", { max_budget: -1 });
  expect([status, body.error]).toEqual([400, { message: `{'error': '${message}'}`, type, param, code: "400" }]);
});

it.each([
  ["1.83", 500, 500],
  ["1.103", 400, 400],
  ["1.110", 400, 400],
] as const)(
  "refuses a window of several months in %s with %d for budgets and %d for teams",
  async (profile, ...rest) => {
    await start(profile);
    const { team_id } = (await client.call("POST", "/team/new", {})).body;
    const budget_duration = "2mo";
    const budget = await client.call("POST", "/budget/new", { budget_duration });
    const team = await client.call("POST", "/team/update", { team_id, budget_duration });
    const made = await client.call("POST", "/team/new", { budget_duration });
    expect([budget.status, team.status, made.status]).toEqual([rest[0], rest[1], rest[1]]);
    if (rest[0] === 500) return;
    const error = "Invalid budget_duration '2mo'. Use a format like '1h', '24h', '7d', or '30d'.";
    expect(budget.body).toEqual({ detail: { error } });
    expect(team.body.error.message).toContain(error);
  },
);
