// How every LiteLLM proxy handles virtual keys, tested through its API.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Behaviour } from "../../dev/litellm/profiles.ts";
import { type Client, captured, hashOf, missingFields, startTarget } from "./support.ts";

let client: Client;
let behaviour: Behaviour;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ client, behaviour, stop } = await startTarget());
});
afterAll(() => stop());

const unique = (name: string) => `${name}-${randomUUID()}`;

it("generates a key with at least the captured fields, the soft budget in a budget object of its own", async () => {
  const key = `sk-${unique("made")}`;
  const fields = {
    max_budget: 1,
    soft_budget: 0.5,
    budget_duration: "30d",
    models: [],
    metadata: { tenant_id: "acme" },
  };
  const { status, body } = await client.call("POST", "/key/generate", { key, key_alias: unique("alias"), ...fields });
  expect(status).toBe(200);
  expect(missingFields(captured("key-generate"), body)).toEqual([]);
  expect(body).toMatchObject({
    key,
    token: hashOf(key),
    token_id: hashOf(key),
    spend: 0,
    max_budget: 1,
    blocked: null,
  });
  expect(body.key_name).toBe(`sk-...${key.slice(-4)}`);
  expect(body.litellm_budget_table).toMatchObject({ budget_id: body.budget_id, soft_budget: 0.5, max_budget: null });
});

it("shows a key with at least the captured fields, by raw key and by hash, under the name that was asked", async () => {
  const key = await client.newKey({ max_budget: 1, soft_budget: 0.5, metadata: { tenant_id: "acme" } });
  for (const asked of [key, hashOf(key)]) {
    const { status, body } = await client.call("GET", `/key/info?key=${asked}`);
    expect(status).toBe(200);
    expect(body.key).toBe(asked);
    expect(missingFields(captured("key-info"), body)).toEqual([]);
    expect(body.info).toMatchObject({ spend: 0, max_budget: 1, blocked: null, metadata: { tenant_id: "acme" } });
    expect(body.info.litellm_budget_table.soft_budget).toBe(0.5);
  }
});

it("answers 404 for a key that it does not have", async () => {
  const { status, body } = await client.call("GET", `/key/info?key=${hashOf(unique("sk-none"))}`);
  expect(status).toBe(404);
  expect(body).toEqual(captured("key-info-404"));
});

it("lists several keys, in 1.81 with their tokens, and silently leaves out unknown ones", async () => {
  const keys = [await client.newKey({ max_budget: 1 }), await client.newKey({ max_budget: 2 })];
  const sent = [...keys.map(hashOf), hashOf(unique("sk-none"))];
  const { status, body } = await client.call("POST", "/v2/key/info", { keys: sent });
  expect(status).toBe(200);
  expect(body.key).toEqual(sent);
  expect(body.info.map((row: { max_budget: number }) => row.max_budget).sort()).toEqual([1, 2]);
  const tokens = body.info.map((row: { token?: string }) => row.token).sort();
  expect(tokens).toEqual(behaviour.rowsHaveToken ? keys.map(hashOf).sort() : [undefined, undefined]);
});

it("refuses an alias that is taken", async () => {
  const key_alias = unique("alias");
  const original = await client.newKey({ key_alias });
  for (const key of [`sk-${unique("other")}`, original]) {
    const { status, body } = await client.call("POST", "/key/generate", { key, key_alias });
    expect(status).toBe(400);
    const message = `Key with alias '${key_alias}' already exists. Unique key aliases across all keys are required.`;
    expect(body.error).toEqual({ message, type: "bad_request_error", param: "key_alias", code: "400" });
  }
  const another = await client.newKey();
  expect((await client.call("POST", "/key/update", { key: another, key_alias })).status).toBe(400);
  expect((await client.call("POST", "/key/update", { key: original, key_alias })).status).toBe(200);
});

it("leaves a key as it is when the same key is generated again", async () => {
  const key = await client.newKey({ max_budget: 1 });
  const again = await client.call("POST", "/key/generate", { key, max_budget: 9 });
  expect(again.status).toBe(200);
  expect((await client.info(key)).max_budget).toBe(1);
});

it("refuses a negative budget with a message that is a Python dict", async () => {
  const pattern = /^\{'error': 'max_budget .*Received: -1\.0'\}$/;
  const made = await client.call("POST", "/key/generate", { max_budget: -1 });
  expect(made.status).toBe(400);
  expect(made.body.error).toMatchObject({ message: expect.stringMatching(pattern), code: "400" });
  const changed = await client.call("POST", "/key/update", { key: await client.newKey(), max_budget: -1 });
  expect(changed.status).toBe(400);
  expect(changed.body.error).toMatchObject({ message: expect.stringMatching(pattern), code: "400" });
});

it("takes any text for a budget duration until 1.83, and refuses it with a 400 since 1.103", async () => {
  const key = `sk-${unique("made")}`;
  const { status } = await client.call("POST", "/key/generate", { key, budget_duration: "banana" });
  expect(status).toBe(behaviour.checksDurations ? 400 : 200);
  if (!behaviour.checksDurations) expect((await client.info(key)).budget_duration).toBe("banana");
});

it("ends 30d on the first of the next month, whatever the day", async () => {
  const key = await client.newKey({ budget_duration: "30d" });
  const now = new Date();
  const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)).toISOString();
  expect((await client.info(key)).budget_reset_at).toBe(first.replace(".000Z", "+00:00"));
});

it("updates a key with at least the captured fields, and never shows its budget object there", async () => {
  const key = await client.newKey({ max_budget: 1, soft_budget: 0.5, metadata: { tenant_id: "acme" } });
  const { status, body } = await client.call("POST", "/key/update", { key: hashOf(key), max_budget: 2 });
  expect(status).toBe(200);
  expect(missingFields(captured("key-update"), body)).toEqual([]);
  expect(body).toMatchObject({ key: hashOf(key), token: hashOf(key), max_budget: 2, litellm_budget_table: null });
});

it("takes a soft budget in an update since 1.103, and in an update of the key's budget object in all", async () => {
  const key = await client.newKey({ soft_budget: 0.5 });
  await client.call("POST", "/key/update", { key, soft_budget: 0.7 });
  const before = await client.info(key);
  expect(before.litellm_budget_table.soft_budget).toBe(behaviour.updatesSoftBudget ? 0.7 : 0.5);
  await client.call("POST", "/budget/update", { budget_id: before.budget_id, soft_budget: 0.9 });
  expect((await client.info(key)).litellm_budget_table.soft_budget).toBe(0.9);
});

it("clears a budget duration by an explicit null since 1.103, and ignores the null before", async () => {
  const key = await client.newKey({ budget_duration: "1d" });
  expect((await client.call("POST", "/key/update", { key, budget_duration: null })).status).toBe(200);
  expect((await client.info(key)).budget_duration).toBe(behaviour.clearsDurations ? null : "1d");
});

it("has since 1.103 the spend since its creation, which no reset changes, and a status", async () => {
  const key = await client.newKey({ max_budget: 5 });
  const { total_spend, status } = await client.info(key);
  expect([total_spend, status]).toEqual(behaviour.showsDeletedKeys ? [0, "active"] : [undefined, undefined]);
});

it("replaces metadata, clears a budget with an explicit null, and keeps what was not sent", async () => {
  const key = await client.newKey({ max_budget: 1, metadata: { a: 1 } });
  await client.call("POST", "/key/update", { key, metadata: { b: 2 } });
  const replaced = await client.info(key);
  expect([replaced.metadata, replaced.max_budget]).toEqual([{ b: 2 }, 1]);
  await client.call("POST", "/key/update", { key, max_budget: null });
  const cleared = await client.info(key);
  expect([cleared.metadata, cleared.max_budget]).toEqual([{ b: 2 }, null]);
});

it("takes a number that is written as text", async () => {
  const key = await client.newKey({ max_budget: "12" });
  expect((await client.info(key)).max_budget).toBe(12);
});

it("answers an update of an unknown key with 404, or 401 in 1.81", async () => {
  const { status, body } = await client.call("POST", "/key/update", { key: "sk-unknown", max_budget: 1 });
  const type = behaviour.unknownKeyStatus === 404 ? "not_found_error" : "auth_error";
  expect([status, body.error.type]).toEqual([behaviour.unknownKeyStatus, type]);
});

it("refuses a negative budget in the version's own format of errors", async () => {
  const { error } = (await client.call("POST", "/team/new", { max_budget: -1 })).body;
  const type = behaviour.errors === "openai" ? "invalid_request_error" : "internal_server_error";
  expect(error).toMatchObject({ type, param: behaviour.errors === "texts" ? "None" : null, code: "400" });
});

it("requires both fields of a temporary increase", async () => {
  const key = hashOf(await client.newKey({ max_budget: 1 }));
  const { status, body } = await client.call("POST", "/key/update", { key, temp_budget_increase: 5 });
  expect(status).toBe(422);
  const { type, loc, msg } = captured("key-update-422").detail[0];
  expect(body).toMatchObject({ detail: [{ type, loc, msg }] });
});

it("keeps a temporary increase in metadata and does not show it in max_budget", async () => {
  const key = await client.newKey({ max_budget: 1, metadata: { tenant_id: "acme" } });
  const increase = { temp_budget_increase: 5, temp_budget_expiry: "2099-12-31T00:00:00" };
  expect((await client.call("POST", "/key/update", { key, ...increase })).status).toBe(200);
  expect(await client.info(key)).toMatchObject({ max_budget: 1, metadata: { tenant_id: "acme", ...increase } });
});

it("answers 422 naming the field for a budget that is no number", async () => {
  const { status, body } = await client.call("POST", "/key/update", { key: await client.newKey(), max_budget: "much" });
  expect(status).toBe(422);
  const msg = "Input should be a valid number, unable to parse string as a number";
  expect(body).toMatchObject({ detail: [{ type: "float_parsing", loc: ["body", "max_budget"], msg }] });
});

it("sets spend through an update, and resets it with at least the captured fields", async () => {
  const key = await client.newKey({ max_budget: 5, budget_duration: "30d" });
  await client.call("POST", "/key/update", { key, spend: 1.5 });
  expect((await client.info(key)).spend).toBe(1.5);
  const { status, body } = await client.call("POST", `/key/${hashOf(key)}/reset_spend`, { reset_to: 0 });
  expect(status).toBe(200);
  expect(missingFields(captured("key-reset-spend"), body)).toEqual([]);
  expect(body).toMatchObject({ key_hash: hashOf(key), spend: 0, previous_spend: 1.5, max_budget: 5 });
  expect(body.budget_reset_at).toMatch(/T00:00:00Z$/);
});

it("refuses a reset of an unknown key, and one to more than was spent", async () => {
  const unknown = await client.call("POST", "/key/deadbeef/reset_spend", { reset_to: 0 });
  expect([unknown.status, unknown.body]).toEqual([404, captured("key-reset-spend-404")]);
  const upward = await client.call("POST", `/key/${hashOf(await client.newKey())}/reset_spend`, { reset_to: 1 });
  const error = "reset_to (1.0) must be <= current spend (0.0)";
  expect([upward.status, upward.body]).toEqual([400, { detail: { error } }]);
});

it("deletes keys by hash and by alias, and answers 404 when there was none", async () => {
  const key_alias = unique("alias");
  const [byHash] = [await client.newKey(), await client.newKey({ key_alias })];
  const deleted = await client.call("POST", "/key/delete", { keys: [hashOf(byHash)] });
  expect([deleted.status, deleted.body]).toEqual([200, { deleted_keys: [hashOf(byHash)] }]);
  const aliased = await client.call("POST", "/key/delete", { key_aliases: [key_alias] });
  expect([aliased.status, aliased.body]).toEqual([200, { deleted_keys: [key_alias] }]);
  const again = await client.call("POST", "/key/delete", { keys: [hashOf(byHash)] });
  expect(again.status).toBe(404);
  expect(again.body.error).toMatchObject({ message: "{'error': 'No keys found'}", code: "404" });
});

it("answers 404 for a deleted key, and since 1.103 shows its last row as deleted", async () => {
  const key = await client.newKey({ max_budget: 3 });
  await client.call("POST", "/key/delete", { keys: [hashOf(key)] });
  const { status, body } = await client.call("GET", `/key/info?key=${hashOf(key)}`);
  expect(status).toBe(behaviour.showsDeletedKeys ? 200 : 404);
  if (!behaviour.showsDeletedKeys) return;
  expect(body.info).toMatchObject({ status: "deleted", deleted_at: expect.any(String), max_budget: 3 });
  expect((await client.call("POST", "/v2/key/info", { keys: [hashOf(key)] })).body.info).toEqual([]);
});

it("forgets the spend of a key that is created again, but in its memory not since 1.103", async () => {
  const key = await client.newKey({ max_budget: 5 });
  await client.call("POST", "/key/update", { key, spend: 7 });
  expect((await client.chat(key)).status).toBe(behaviour.refusalStatus);
  await client.call("POST", "/key/delete", { keys: [hashOf(key)] });
  await client.call("POST", "/key/generate", { key, max_budget: 5 });
  expect((await client.info(key)).spend).toBe(0);
  if (behaviour.countsApart) expect((await client.chat(key)).status).toBe(behaviour.refusalStatus);
});

it("lists keys by page, newest first, as hashes or as whole objects", async () => {
  const team_id = unique("team");
  const keys = [await client.newKey({ team_id }), await client.newKey({ team_id }), await client.newKey({ team_id })];
  const page = await client.call("GET", `/key/list?team_id=${team_id}&size=2&page=1`);
  expect(page.body).toMatchObject({ total_count: 3, current_page: 1, total_pages: 2 });
  expect(page.body.keys).toEqual([hashOf(keys[2] ?? ""), hashOf(keys[1] ?? "")]);
  const whole = await client.call("GET", `/key/list?team_id=${team_id}&size=2&page=2&return_full_object=true`);
  expect(whole.body.keys).toMatchObject([{ token: hashOf(keys[0] ?? ""), spend: 0, team_id }]);
});

it("leaves the keys of its own dashboard out of the list", async () => {
  const alias = unique("dashboard");
  await client.newKey({ team_id: "litellm-dashboard", key_alias: alias });
  expect((await client.call("GET", `/key/list?key_alias=${alias}&size=1`)).body.keys).toEqual([]);
});
