// What LiteLLM does with a delay, on the test's clock: writing spend, ending periods and expiring its caches.

import { afterEach, describe, expect, it } from "vitest";
import { type Litellm, startLitellm } from "../../dev/litellm/start.ts";
import { type Client, clientOf } from "./support.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

let now: number;
let litellm: Litellm;
let client: Client;

async function start(options: Parameters<typeof startLitellm>[0] = {}): Promise<void> {
  now = Date.parse("2026-11-22T23:00:00Z");
  litellm = await startLitellm({ now: () => now, callMs: 0, databaseDelayMs: 12 * SECOND, ...options });
  client = clientOf(litellm);
}
afterEach(() => litellm.stop());

const spendOf = async (key: string) => (await client.info(key)).spend;
const shownSpend = async (key: string, cost = 0) =>
  Number((await client.chat(key, { cost })).headers.get("x-litellm-key-spend"));

describe("spend", () => {
  it("writes spend to the database after the delay, and not before", async () => {
    await start();
    const key = await client.newKey();
    await client.chat(key, { cost: 1 });
    now += 5 * SECOND;
    await client.chat(key, { cost: 2 });
    now += 7 * SECOND - 1;
    expect(await spendOf(key)).toBe(0);
    now += 1;
    expect(await spendOf(key)).toBe(3);
  });

  it("takes 10 to 15 seconds to reach the database by default", async () => {
    now = Date.now();
    litellm = await startLitellm({ now: () => now, callMs: 0 });
    client = clientOf(litellm);
    const key = await client.newKey();
    await client.chat(key, { cost: 1 });
    now += 10 * SECOND - 1;
    expect(await spendOf(key)).toBe(0);
    now += 5 * SECOND + 1;
    expect(await spendOf(key)).toBe(1);
  });

  it("writes spend at once with a delay of 0", async () => {
    await start({ databaseDelayMs: 0 });
    const key = await client.newKey();
    await client.chat(key, { cost: 0.1 });
    await client.chat(key, { cost: 0.2 });
    expect(await spendOf(key)).toBe(0.1 + 0.2);
  });

  it("forgets spend in memory when the key changes, and reads it back from the database", async () => {
    await start();
    const key = await client.newKey({ max_budget: 1 });
    await client.chat(key, { cost: 5 });
    expect((await client.chat(key)).status).toBe(400);
    await client.call("POST", "/key/update", { key, metadata: {} });
    expect((await client.chat(key, { cost: 0.5 })).status).toBe(200);
    now += 12 * SECOND;
    expect(await spendOf(key)).toBe(5.5);
    now += MINUTE;
    expect((await client.chat(key)).status).toBe(400);
  });
});

describe("the end of a period", () => {
  it("resets the spend late: the database keeps the old spend until the reset job runs", async () => {
    await start({ resetCheckMs: 10 * MINUTE });
    const key = await client.newKey({ budget_duration: "1d" });
    litellm.setSpend(key, 40);
    expect((await client.info(key)).budget_reset_at).toBe("2026-11-23T00:00:00+00:00");
    now = Date.parse("2026-11-23T00:09:59Z");
    expect(await client.info(key)).toMatchObject({ spend: 40, budget_reset_at: "2026-11-23T00:00:00+00:00" });
    now = Date.parse("2026-11-23T00:10:00Z");
    expect(await client.info(key)).toMatchObject({ spend: 0, budget_reset_at: "2026-11-24T00:00:00+00:00" });
  });

  it("resets on time with a check interval of 0, and never with one of infinity", async () => {
    for (const [resetCheckMs, spend] of [
      [0, 0],
      [Number.POSITIVE_INFINITY, 40],
    ]) {
      await start({ resetCheckMs: resetCheckMs ?? 0 });
      const key = await client.newKey({ budget_duration: "1d" });
      litellm.setSpend(key, 40);
      now = Date.parse("2026-11-23T00:00:00.001Z");
      expect(await spendOf(key)).toBe(spend);
      if (resetCheckMs === 0) await litellm.stop();
    }
  });

  it("enforces the old spend from memory until memory is a minute old", async () => {
    await start({ resetCheckMs: 0 });
    const key = await client.newKey({ budget_duration: "1d", max_budget: 10 });
    now = Date.parse("2026-11-22T23:59:30Z");
    await client.chat(key, { cost: 10 });
    now = Date.parse("2026-11-22T23:59:50Z");
    expect((await client.chat(key)).status).toBe(400);
    now = Date.parse("2026-11-23T00:00:29.999Z");
    expect(await spendOf(key)).toBe(0);
    expect((await client.chat(key)).status).toBe(400);
    now = Date.parse("2026-11-23T00:00:30Z");
    expect((await client.chat(key)).status).toBe(200);
  });

  it("a reset adds spend that was still on its way to the new period", async () => {
    await start({ resetCheckMs: 0 });
    const key = await client.newKey({ budget_duration: "1d" });
    litellm.setSpend(key, 40);
    now = Date.parse("2026-11-22T23:59:55Z");
    await client.chat(key, { cost: 1.5 });
    now = Date.parse("2026-11-23T00:00:01Z");
    expect(await spendOf(key)).toBe(0);
    now = Date.parse("2026-11-23T00:00:07Z");
    expect(await spendOf(key)).toBe(1.5);
  });

  it("ends several missed periods at once, and moves the end when the duration is sent again", async () => {
    await start({ resetCheckMs: 0 });
    const key = await client.newKey({ budget_duration: "30d" });
    expect((await client.info(key)).budget_reset_at).toBe("2026-12-01T00:00:00+00:00");
    now = Date.parse("2027-03-15T12:00:00Z");
    expect((await client.info(key)).budget_reset_at).toBe("2027-04-01T00:00:00+00:00");
    await client.call("POST", "/key/update", { key, budget_duration: "2d" });
    expect((await client.info(key)).budget_reset_at).toBe("2027-03-17T00:00:00+00:00");
    now += MINUTE * 60 * 13;
    await client.call("POST", "/key/update", { key, budget_duration: "2d" });
    expect((await client.info(key)).budget_reset_at).toBe("2027-03-18T00:00:00+00:00");
  });

  it("resets one key although another key was deleted or changed", async () => {
    await start({ resetCheckMs: 10 * MINUTE });
    const [gone, moved, kept, later] = [
      await client.newKey({ budget_duration: "1h" }),
      await client.newKey({ budget_duration: "1h" }),
      await client.newKey({ budget_duration: "2h" }),
      await client.newKey({ budget_duration: "5h" }),
    ];
    for (const key of [gone, moved, kept, later]) litellm.setSpend(key, 1);
    await client.call("POST", "/key/delete", { keys: [gone] });
    await client.call("POST", "/key/update", { key: moved, budget_duration: "1d" });
    now = Date.parse("2026-11-23T00:00:01Z");
    expect([await spendOf(moved), await spendOf(kept)]).toEqual([1, 1]);
    now = Date.parse("2026-11-23T00:10:00Z");
    expect([await spendOf(moved), await spendOf(kept), await spendOf(later)]).toEqual([0, 0, 1]);
    expect((await client.info(kept)).budget_reset_at).toBe("2026-11-23T02:00:00+00:00");
    now = Date.parse("2026-11-23T01:10:00Z");
    expect(await spendOf(later)).toBe(0);
  });

  it("resets teams as well, and on request", async () => {
    await start({ resetCheckMs: Number.POSITIVE_INFINITY });
    const { team_id } = (await client.call("POST", "/team/new", { budget_duration: "1d" })).body;
    litellm.setSpend(team_id, 3);
    const spend = async () => (await client.call("GET", `/team/info?team_id=${team_id}`)).body.team_info.spend;
    now = Date.parse("2026-11-23T00:00:00Z");
    litellm.runResetJob();
    expect(await spend()).toBe(3);
    now = Date.parse("2026-11-23T00:05:00Z");
    litellm.runResetJob();
    expect(await spend()).toBe(0);
  });
});

describe("memory", () => {
  it("lets the keys of a blocked team go on until it is a minute old", async () => {
    await start();
    const { team_id } = (await client.call("POST", "/team/new", {})).body;
    const key = await client.newKey({ team_id });
    expect((await client.chat(key)).status).toBe(200);
    expect((await client.call("POST", "/team/block", { team_id })).body.blocked).toBe(true);
    expect((await client.chat(key)).status).toBe(200);
    now += MINUTE;
    const { status, body } = await client.chat(key);
    const message = `Authentication Error, Team=${team_id} is blocked. Update via \`/team/unblock\` if your admin.`;
    expect([status, body.error.message]).toEqual([401, message]);
    await client.call("POST", "/team/unblock", { team_id });
    now += MINUTE;
    expect((await client.chat(key)).status).toBe(200);
  });

  it("holds a budget object's old limit until it is a minute old", async () => {
    await start();
    await client.call("POST", "/budget/new", { budget_id: "shared", max_budget: 10 });
    const key = await client.newKey({ budget_id: "shared" });
    expect((await client.chat(key)).status).toBe(200);
    await client.call("POST", "/budget/update", { budget_id: "shared", max_budget: 0 });
    expect((await client.chat(key)).status).toBe(200);
    now += MINUTE;
    expect((await client.chat(key)).status).toBe(400);
  });

  it("ends a temporary increase at its instant only when it reads the key again", async () => {
    await start();
    const key = await client.newKey({ max_budget: 0 });
    const increase = { temp_budget_increase: 5, temp_budget_expiry: "2026-11-22T23:00:30" };
    await client.call("POST", "/key/update", { key, ...increase });
    expect((await client.chat(key)).status).toBe(200);
    now += 59 * SECOND;
    expect((await client.chat(key)).status).toBe(200);
    now += SECOND;
    expect((await client.chat(key)).status).toBe(400);
  });

  it("shows spend below what it showed, when it is read again before a late write", async () => {
    await start({ databaseDelayMs: 90 * SECOND });
    const key = await client.newKey();
    expect(await shownSpend(key, 2)).toBe(2);
    now += MINUTE;
    expect(await shownSpend(key, 1)).toBe(1);
    now += MINUTE;
    expect(await spendOf(key)).toBe(3);
  });

  it("lets an expired key go with a 400 of its own type", async () => {
    await start();
    const key = await client.newKey({ duration: "1h" });
    expect((await client.info(key)).expires).toBe("2026-11-23T00:00:00+00:00");
    now += 60 * MINUTE + 1;
    const { status, body } = await client.chat(key);
    expect([status, body.error.type]).toEqual([400, "expired_key"]);
  });
});
