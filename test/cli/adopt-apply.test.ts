// `npm run adopt -- --apply`: adopts every tenant once, however often it is run, interrupted or killed.

import { describe, expect, it } from "vitest";
import { sha256 } from "../support/builders/virtual-key.ts";
import { useAdoptWorld } from "../support/worlds/adopt-world.ts";

const { world, renewDeps, bursar, adopt, tenants } = useAdoptWorld();

const newKey = (name: string, fields: object = {}) =>
  world.manage("POST", "/key/generate", { key: `sk-${name}`, key_alias: name, max_budget: 20, ...fields });
const newTeam = (name: string) => world.manage("POST", "/team/new", { team_id: name, max_budget: 100 });

async function newKeys(count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `key-${String(index).padStart(3, "0")}`);
  for (const name of names) await newKey(name);
  return names;
}

const ids = async () => (await tenants()).map((tenant) => tenant["tenant_id"]);

describe("applying", () => {
  it("keeps LiteLLM's limits under observe, and adds the tenant id to its metadata", async () => {
    await newKey("acme", { budget_duration: "7d", user_id: "somebody", metadata: { team: "red" } });
    await newTeam("blue");
    const { code, err } = await adopt(["--apply"]);
    expect([code, err]).toEqual([0, expect.stringContaining("2 adopted, 0 failed.")]);
    expect(await tenants()).toMatchObject([
      { tenant_id: "acme", subject_kind: "key", subject_id: sha256("sk-acme"), max_budget: 20, enforcement: "observe" },
      { tenant_id: "blue", subject_kind: "team", subject_id: "blue", max_budget: 100, enforcement: "observe" },
    ]);
    expect(await world.keyRow(sha256("sk-acme"))).toMatchObject({
      max_budget: 20,
      budget_duration: "7d",
      user_id: "somebody",
      metadata: { team: "red", tenant_id: "acme" },
    });
    expect(await world.teamRow("blue")).toMatchObject({ max_budget: 100, soft_budget: null });
  });

  it("changes nothing in Bursar or LiteLLM the second time", async () => {
    await newKey("acme");
    await newTeam("blue");
    await adopt(["--apply", "--enforcement", "enforce"]);
    const audit = () => world.db.query("select count(*)::int as lines from audit_log");
    const [before, lines] = [await tenants(), await audit()];
    world.litellm.clearRequests();
    const { code, out } = await adopt(["--apply", "--enforcement", "enforce"]);
    expect([code, out]).toEqual([0, expect.stringContaining("0 to adopt, 2 skipped.")]);
    expect([await tenants(), await audit()]).toEqual([before, lines]);
    expect(world.changesSent()).toEqual(["/v2/key/info"]);
  });

  it("adopts 300 keys and reports progress", { timeout: 120_000 }, async () => {
    const names = await newKeys(300);
    const { code, err } = await adopt(["--apply"]);
    expect([code, await ids()]).toEqual([0, names]);
    expect(err).toMatch(/^1\/300 key-\d{3} \(key key-\d{3} \(\w{12}…\)\): adopted$/m);
    expect(err).toContain("300/300 ");
    expect(err).toContain("300 adopted, 0 failed.");
  });
});

describe("a run after an incomplete one", () => {
  it("adopts the rest after Ctrl-C, which let the adoptions that had started finish", async () => {
    const names = await newKeys(30);
    const interruption = new AbortController();
    const onLine = (text: string) => void (text.startsWith("10/") && interruption.abort());
    const first = await adopt(["--apply"], { signal: interruption.signal, onLine });
    const done = (await ids()).length;
    expect([first.code, done]).toEqual([130, expect.toSatisfy((count: number) => count >= 10 && count < 20)]);
    expect(first.err).toContain(`Interrupted: ${30 - done} not started. Run it again to continue.`);
    const second = await adopt(["--apply"]);
    expect([second.code, await ids()]).toEqual([0, names]);
    expect(second.out).toContain(`${30 - done} to adopt, ${done} skipped.`);
  });

  it("finds the tenant after a crash between Bursar's row and LiteLLM's metadata, and repeats nothing", async () => {
    await newKey("acme");
    world.litellm.setFault({ kind: "error", status: 500, path: "/key/update" });
    const first = await adopt(["--apply"]);
    expect([first.code, first.err]).toEqual([
      0,
      expect.stringContaining("1 adopted, 0 failed. LiteLLM is not yet in sync for 1: Bursar's sweep retries."),
    ]);
    world.litellm.setFault(null);
    renewDeps();
    expect((await adopt(["--apply"])).out).toContain("is already tenant acme");
  });

  it("counts a tenant as adopted after the answer to its request was lost", async () => {
    await newKey("acme");
    // Bursar carries out the request and its answer is lost. The second attempt finds the tenant.
    const real = globalThis.fetch;
    let lost = 0;
    globalThis.fetch = async (...request) => {
      const response = await real(...request);
      const isCreation = String(request[0]) === `${bursar().url}/v1/tenants` && request[1]?.method === "POST";
      if (isCreation && lost++ === 0) throw new TypeError("fetch failed");
      return response;
    };
    const { code, err } = await adopt(["--apply"]).finally(() => {
      globalThis.fetch = real;
    });
    expect([code, lost, await ids()]).toEqual([0, 2, ["acme"]]);
    expect(err).toContain("1 adopted, 0 failed.");
  });

  it("adopts each tenant once while another run does the same", async () => {
    const names = await newKeys(20);
    const runs = await Promise.all([adopt(["--apply"]), adopt(["--apply"])]);
    expect([runs.map(({ code }) => code), await ids()]).toEqual([[0, 0], names]);
  });
});

describe("a failed adoption", () => {
  it("appears at the end with exit code 1, and the next run retries it", async () => {
    await newKeys(3);
    const hash = sha256("sk-key-001");
    await world.db.query("create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$");
    await world.db.query(`create trigger refuse before insert on tenant_configs for each row
      when (new.subject_id = '${hash}') execute function refuse()`);
    try {
      const { code, err } = await adopt(["--apply"]);
      expect([code, await ids()]).toEqual([1, ["key-000", "key-002"]]);
      expect(err).toMatch(/2 adopted, 1 failed\.\n {2}key-001: Bursar answers 5\d\d: /);
    } finally {
      await world.db.query("drop trigger refuse on tenant_configs");
      await world.db.query("drop function refuse");
    }
    expect((await adopt(["--apply"])).code).toBe(0);
    expect(await ids()).toEqual(["key-000", "key-001", "key-002"]);
  });

  it("shows the reason of Bursar's answer", async () => {
    await newKey("acme");
    const real = globalThis.fetch;
    globalThis.fetch = async (...request) => {
      // An administrator deletes the key in LiteLLM between the plan and its adoption.
      const isCreation = String(request[0]) === `${bursar().url}/v1/tenants`;
      if (isCreation) await world.manage("POST", "/key/delete", { keys: [sha256("sk-acme")] }).catch(() => null);
      return real(...request);
    };
    const { code, err } = await adopt(["--apply"]).finally(() => {
      globalThis.fetch = real;
    });
    expect([code, err]).toEqual([
      1,
      expect.stringContaining("acme: Bursar answers 422: litellm_key: must exist in LiteLLM"),
    ]);
  });

  it.each([
    ["Bursar", "away", { kind: "reset" } as const, "Bursar cannot be reached"],
    ["Bursar", "in trouble", { kind: "error", status: 503 } as const, "Bursar answers 503"],
  ])("%s %s for long: exits 1 in words", async (_, __, fault, words) => {
    bursar().setFault(fault);
    const { code, err } = await adopt(["--apply"]);
    expect([code, err]).toEqual([1, expect.stringContaining(words)]);
  });

  it.each([
    ["/key/list", { kind: "error", status: 429, times: 2 } as const],
    ["/team/list", { kind: "error", status: 500, times: 2 } as const],
    ["/v2/key/info", { kind: "reset", times: 2 } as const],
  ])("retries a passing failure: LiteLLM's %s", async (path, fault) => {
    await newKey("acme");
    world.litellm.setFault({ ...fault, path });
    expect((await adopt(["--apply"])).code).toBe(0);
    expect(await ids()).toEqual(["acme"]);
  });

  it.each([
    ["LiteLLM's master key", { LITELLM_MASTER_KEY: "sk-wrong" }, /LiteLLM's \/team\/list answers 40[13]/],
    ["Bursar's admin token", { ADMIN_TOKEN: "wrong" }, /Bursar's \/v1\/tenants answers 401/],
    ["a token that may only read", { ADMIN_TOKEN: "read-token" }, /acme: Bursar answers 403/],
  ])("because %s is not right: exits 1, and nothing is done", async (_, env, words) => {
    await newKey("acme");
    const { code, err } = await adopt(["--apply"], { env });
    expect([code, await ids(), err]).toEqual([1, [], expect.stringMatching(words)]);
    expect(err).not.toContain("sk-wrong");
  });
});

it("reports the outcome of each tenant with --json", async () => {
  await newKey("acme");
  await newKey("blocked", { blocked: true });
  const { code, out } = await adopt(["--apply", "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject([
    { tenant_id: "blocked", action: "skip" },
    { tenant_id: "acme", action: "adopt", outcome: "adopted" },
  ]);
});
