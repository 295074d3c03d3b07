// Adopting keys and teams of an existing LiteLLM, end to end: observe first, enforce later, then release them.

import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import { beforeAll, describe, expect, it } from "vitest";
import { runAdopt } from "../../cli/adopt/run.ts";
import { reportTo } from "../../dev/connect.ts";
import { ADMIN, eventually, send } from "./support/api.ts";
import { useBursarWithInbox } from "./support/bursar-with-inbox.ts";

const setup = useBursarWithInbox();
beforeAll(() => reportTo(setup.bursar.url, setup.litellm, { flushEventsMs: 200 }));

const NOW = { "Cache-Control": "no-cache" };

/** Bursar reads a tenant on demand at most once a second. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 1_050));

const manage = async (path: string, body: unknown) => {
  const answer = await send("POST", setup.litellm.url + path, { token: setup.litellm.masterKey, body });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.body;
};
const keyRow = async (key: string) =>
  (await send("GET", `${setup.litellm.url}/key/info?key=${key}`, { token: setup.litellm.masterKey })).body.info;
const call = (key: string, usd: number) =>
  send("POST", `${setup.litellm.url}/v1/chat/completions`, {
    token: key,
    headers: { "x-sim-cost": String(usd) },
    body: { model: "mock", messages: [{ role: "user", content: "hello" }] },
  });
const names = () => {
  const id = randomBytes(5).toString("hex");
  return { name: `adopted-${id}`, key: `sk-${id}` };
};

/** Runs `npm run adopt -- --from litellm --apply` for the matching candidates only. */
async function adopt(only: string): Promise<void> {
  const env = {
    LITELLM_URL: setup.litellm.url,
    LITELLM_MASTER_KEY: setup.litellm.masterKey,
    BURSAR_URL: setup.bursar.url,
    ADMIN_TOKEN: ADMIN,
  };
  const said = new PassThrough();
  const io = { env, out: said, err: said, signal: new AbortController().signal, clock: Date.now };
  const code = await runAdopt(["--from", "litellm", "--apply", "--only", only], io);
  if (code !== 0) throw new Error(String(said.read()));
}

describe("an existing key", () => {
  it("observes an adopted key, enforces it, observes it again, and releases it as it was", async () => {
    const { name, key } = names();
    await manage("/key/generate", { key, key_alias: name, max_budget: 200, budget_duration: "30d" });
    setup.litellm.setSpend(key, 50);
    await adopt(name);
    await setup.api.admin("PATCH", `/v1/tenants/${name}`, { max_budget: 100 });
    setup.litellm.setSpend(key, 120);
    await turn();

    const observed = await setup.api.ask(key, NOW);
    expect([observed.status, observed.body]).toMatchObject([
      200,
      { allowed: true, state: "blocked", would_block: true, enforcement: "observe" },
    ]);
    expect((await keyRow(key)).max_budget).toBe(200);
    expect((await call(key, 0.01)).status).toBe(200);

    const enforced = await setup.api.admin("PATCH", `/v1/tenants/${name}`, { enforcement: "enforce" });
    expect([enforced.status, enforced.body.litellm_sync]).toEqual([200, "synced"]);
    const refused = await setup.api.ask(key);
    expect([refused.status, refused.body.reason]).toEqual([402, "over_grace"]);
    expect(refused.body).not.toHaveProperty("would_block");
    expect((await keyRow(key)).max_budget).toBe(110);
    expect((await call(key, 0.01)).body.error.type).toBe("budget_exceeded");

    await setup.api.admin("PATCH", `/v1/tenants/${name}`, { enforcement: "observe" });
    expect((await setup.api.ask(key)).status).toBe(200);
    expect((await keyRow(key)).max_budget).toBe(200);
    expect((await call(key, 0.01)).status).toBe(200);

    expect((await setup.api.admin("DELETE", `/v1/tenants/${name}`)).status).toBe(204);
    expect(await keyRow(key)).toMatchObject({ max_budget: 200, budget_duration: "30d", metadata: {} });
    expect((await setup.api.ask(key)).status).toBe(401);
  });

  it("sends notices while observed, and none of them says that calls are refused", async () => {
    const { name, key } = names();
    await manage("/key/generate", { key, key_alias: name, max_budget: 100 });
    await adopt(name);
    await setup.api.admin("PATCH", `/v1/tenants/${name}`, { max_budget: 10 });
    await call(key, 12);
    const notices = await eventually(async () => {
      const all = setup.bursar.stack.inbox.messages({ tenant: name, accepted: true });
      return all.length >= 3 && all;
    });
    const texts = JSON.stringify(notices);
    expect(texts).toContain("would be refused");
    expect(texts).toContain("Would block at");
    expect(texts).not.toMatch(/requests are refused|every request is refused/);
  });
});

describe("an existing team", () => {
  it("shares one budget among its unregistered keys: the spend of one blocks the other", async () => {
    const { name } = names();
    const [one, two] = [names().key, names().key];
    await manage("/team/new", { team_id: name, max_budget: 10 });
    for (const key of [one, two]) await manage("/key/generate", { key, team_id: name });
    await adopt(name);
    await setup.api.admin("PATCH", `/v1/tenants/${name}`, { enforcement: "enforce" });
    expect((await setup.api.ask(two)).body).toMatchObject({ tenant_id: name, allowed: true, state: "ok" });

    expect((await call(one, 11)).status).toBe(200);
    const refused = await eventually(async () => {
      const answer = await setup.api.ask(two);
      return answer.status === 402 && answer;
    });
    expect(refused.body).toMatchObject({ tenant_id: name, reason: "over_grace", spend: 11 });
    expect((await setup.api.ask(one)).status).toBe(402);
    expect((await setup.api.admin("GET", `/v1/tenants/${name}`)).body).toMatchObject({ state: "blocked", spend: 11 });
  });
});
