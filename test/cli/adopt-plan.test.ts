// The plan of `npm run adopt`, which changes nothing. On the real app, a real Postgres and LiteLLM's simulator.

import { describe, expect, it } from "vitest";
import { sha256 } from "../support/builders/virtual-key.ts";
import { useAdoptWorld } from "../support/worlds/adopt-world.ts";

const { world, adopt, planned, tenants } = useAdoptWorld();

const newKey = (fields: object) => world.manage("POST", "/key/generate", { max_budget: 20, ...fields });
const newTeam = (fields: object) => world.manage("POST", "/team/new", { max_budget: 100, ...fields });

describe("a plan", () => {
  it("shows LiteLLM's values, Bursar's values, and that LiteLLM keeps its limits under observe", async () => {
    await newKey({ key: "sk-acme", key_alias: "acme", budget_duration: "30d", soft_budget: 15 });
    world.litellm.setSpend(sha256("sk-acme"), 12.5);
    expect((await planned()).get("acme")).toEqual({
      tenant_id: "acme",
      action: "adopt",
      why: null,
      subject: { kind: "key", id: `${sha256("sk-acme").slice(0, 12)}…` },
      alias: "acme",
      litellm: {
        max_budget: 20,
        soft_budget: 15,
        budget_duration: "30d",
        budget_reset_at: "2026-12-01T00:00:00.000Z",
        spend: 12.5,
      },
      bursar: { enforcement: "observe", max_budget: 20, alerts_at: 16, blocks_at: 22, budget_duration: "30d" },
      litellm_changes: {},
    });
    const { out } = await adopt([]);
    expect(out).toMatch(/acme .*\$20\.00.*\$15\.00.*30d.*\$12\.50.*2026-12-01.*\$16\.00.*would: \$22\.00.*nothing/);
    expect(out).toContain("1 to adopt, 0 skipped. Enforcement: observe.");
  });

  it("shows the changes that enforce makes in LiteLLM, and --apply makes exactly these", async () => {
    await newKey({ key: "sk-acme", key_alias: "acme" });
    await newTeam({ team_id: "red", team_alias: "red" });
    const plan = await planned("--enforcement", "enforce");
    expect(plan.get("acme").litellm_changes).toEqual({ max_budget: 22 });
    expect(plan.get("red").litellm_changes).toEqual({ max_budget: 110, soft_budget: 80 });
    await adopt(["--enforcement", "enforce", "--apply"]);
    expect(await world.keyRow(sha256("sk-acme"))).toMatchObject({ max_budget: 22, litellm_budget_table: null });
    expect(await world.teamRow("red")).toMatchObject({ max_budget: 110, soft_budget: 80 });
  });

  it("changes nothing in Bursar or LiteLLM", async () => {
    await newKey({ key: "sk-acme", key_alias: "acme" });
    world.litellm.clearRequests();
    expect((await adopt(["--enforcement", "enforce"])).code).toBe(0);
    expect(await tenants()).toEqual([]);
    expect(world.changesSent()).toEqual(["/v2/key/info"]);
  });

  it("reads the limit of a key from the budget object that it is linked to", async () => {
    await world.manage("POST", "/budget/new", { budget_id: "shared", max_budget: 30, budget_duration: "30d" });
    await newKey({ key: "sk-acme", key_alias: "acme", max_budget: null, budget_id: "shared" });
    expect((await planned()).get("acme").litellm).toMatchObject({ max_budget: 30, budget_duration: "30d" });
  });

  it("prints no key, hash or token in full, and no escape sequence of an alias", async () => {
    await newKey({ key: "sk-acme-secret", key_alias: "acme\u001b[2J\nevil" });
    await newKey({ key: "sk-blocked", key_alias: "bad\u001b[2J", blocked: true });
    for (const args of [[], ["--json"], ["--apply"]]) {
      const { out, err } = await adopt(args);
      for (const secret of [
        "sk-acme-secret",
        sha256("sk-acme-secret"),
        sha256("sk-blocked"),
        world.litellm.masterKey,
      ]) {
        expect(out + err).not.toContain(secret);
      }
      expect(out + err).not.toContain("admin-token");
      expect(out + err).not.toContain("\u001b");
    }
  });
});

describe("the plan", () => {
  it.each<[string, object]>([
    ["has no max_budget", { max_budget: null }],
    ["is blocked in LiteLLM", { blocked: true }],
    ["has expired", { duration: "1s" }],
  ])("skips a key that %s", async (why, fields) => {
    await newKey({ key: "sk-acme", key_alias: "acme", ...fields });
    world.now += 2_000;
    expect((await planned()).get("acme")).toMatchObject({ action: "skip", why });
  });

  it.each([
    ["has no max_budget", {}],
    ["is blocked in LiteLLM", { max_budget: 100, blocked: true }],
  ])("skips a team that %s", async (why, fields) => {
    await world.manage("POST", "/team/new", { team_id: "red", ...fields });
    expect((await planned()).get("red")).toMatchObject({ action: "skip", why });
  });

  it("skips the master key and the keys and teams of LiteLLM's dashboard", async () => {
    await newKey({ key: world.litellm.masterKey, key_alias: "master" });
    await newTeam({ team_id: "litellm-dashboard" });
    await newKey({ key: "sk-session", key_alias: "session", team_id: "litellm-dashboard" });
    const plan = await planned();
    expect(plan.get("master")).toMatchObject({ action: "skip", why: "is the master key" });
    expect(plan.get("litellm-dashboard")).toMatchObject({ action: "skip", why: "belongs to LiteLLM's dashboard" });
    expect(plan.has("session")).toBe(false);
  });

  it("skips a row that cannot be parsed, and adopts the others", async () => {
    await newKey({ key: "sk-acme", key_alias: "acme" });
    await newKey({ key: "sk-broken", key_alias: "broken" });
    world.litellm.setSpend(sha256("sk-broken"), Number.NaN);
    expect((await planned()).get("broken")).toMatchObject({ action: "skip", why: "LiteLLM's row cannot be parsed" });
    expect((await adopt(["--apply"])).code).toBe(0);
    expect(await tenants()).toMatchObject([{ tenant_id: "acme" }]);
  });

  it("skips a subject that is already a tenant, under any name", async () => {
    await newKey({ key: "sk-acme", key_alias: "acme" });
    await adopt(["--apply"]);
    await world.manage("POST", "/key/update", { key: "sk-acme", key_alias: "renamed" });
    expect((await planned()).get("renamed")).toMatchObject({ action: "skip", why: "is already tenant acme" });
  });
});

describe("a key of a team", () => {
  const inRed = { key: "sk-one", key_alias: "one", team_id: "red" };

  it("belongs to its team when the team has a budget", async () => {
    await newTeam({ team_id: "red", team_alias: "Red" });
    await newKey(inRed);
    const why = "belongs to its team Red: --keys-of-teams adopts the key as well";
    expect((await planned()).get("one")).toMatchObject({ action: "skip", why });
    expect((await planned("--keys")).get("one")).toMatchObject({ action: "skip", why });
    expect((await planned("--keys-of-teams")).get("one").action).toBe("adopt");
  });

  it("belongs to its team when the team is a tenant, whatever its budget in LiteLLM is now", async () => {
    await newTeam({ team_id: "red" });
    await adopt(["--apply"]);
    await world.manage("POST", "/team/update", { team_id: "red", max_budget: null });
    await newKey(inRed);
    expect((await planned()).get("one").action).toBe("skip");
  });

  it("becomes a tenant itself when its team has no budget", async () => {
    await world.manage("POST", "/team/new", { team_id: "red" });
    await newKey(inRed);
    expect((await planned()).get("one").action).toBe("adopt");
  });
});

describe("selection by options plans only the matching candidates", () => {
  it.each([
    [["--teams"], ["red"]],
    [["--keys"], ["acme", "acme-2"]],
    [["--only", "acme"], ["acme"]],
    [
      ["--only", "acme*"],
      ["acme", "acme-2"],
    ],
    [["--only", "*.*"], []],
  ])("%j", async (args, names) => {
    await newTeam({ team_id: "red" });
    await newKey({ key: "sk-acme", key_alias: "acme" });
    await newKey({ key: "sk-acme-2", key_alias: "acme-2" });
    expect([...(await planned(...args)).keys()].sort()).toEqual(names);
  });
});

describe("tenant ids", () => {
  it("are aliases turned into valid ids, or a part of the hash without an alias", async () => {
    await newKey({ key: "sk-acme", key_alias: "Ácme Corp / prod" });
    await newKey({ key: "sk-none" });
    await newTeam({ team_id: "8f3c" });
    const names = [...(await planned()).keys()].sort();
    expect(names).toEqual(["8f3c", "Acme-Corp-prod", `key-${sha256("sk-none").slice(0, 12)}`]);
  });

  it("can be a field of LiteLLM's metadata, and candidates without the field are skipped", async () => {
    await newKey({ key: "sk-acme", key_alias: "a", metadata: { customer: "acme" } });
    await newKey({ key: "sk-none", key_alias: "b" });
    const plan = await planned("--tenant-id", "metadata.customer");
    expect(plan.get("acme").action).toBe("adopt");
    expect(plan.get("b")).toMatchObject({
      action: "skip",
      tenant_id: null,
      why: expect.stringContaining("--tenant-id"),
    });
  });

  it("can be the team's alias", async () => {
    await world.manage("POST", "/team/new", { team_id: "8f3c", team_alias: "red" });
    await newKey({ key: "sk-one", key_alias: "one", team_id: "8f3c" });
    expect((await planned("--tenant-id", "team")).get("red").subject.kind).toBe("key");
  });

  it("are refused when two subjects would share one, and --apply changes nothing until that is resolved", async () => {
    await newTeam({ team_id: "t1", team_alias: "acme" });
    await newKey({ key: "sk-acme", key_alias: "acme" });
    await newKey({ key: "sk-globex", key_alias: "globex" });
    const { code, out, err } = await adopt(["--apply"]);
    expect([code, await tenants()]).toEqual([1, []]);
    expect(out).toContain("Conflicts to resolve first (2)");
    expect(out).toContain("has the same tenant id as team acme (t1)");
    expect(err).toContain("Nothing was changed");
    expect((await adopt(["--apply", "--only", "globex"])).code).toBe(0);
    expect(await tenants()).toMatchObject([{ tenant_id: "globex" }]);
  });

  it("are refused when another tenant has one", async () => {
    await newKey({ key: "sk-acme", key_alias: "acme" });
    await adopt(["--apply"]);
    await world.manage("POST", "/key/update", { key: "sk-acme", key_alias: "old" });
    await newKey({ key: "sk-new", key_alias: "acme" });
    const why = "has the same tenant id as another tenant";
    expect([...(await planned()).values()]).toContainEqual(expect.objectContaining({ action: "refuse", why }));
  });
});

describe("usage", () => {
  it.each<[string, string[], object, string]>([
    ["an unknown option", ["--aply"], {}, "error: unknown option '--aply'\n(Did you mean --apply?)"],
    ["a stray argument", ["acme"], {}, "too many arguments. Expected 0 arguments but got 1: acme"],
    ["an unknown source", ["--from", "portkey"], {}, "Allowed choices are litellm"],
    ["an unknown enforcement", ["--enforcement", "block"], {}, "Allowed choices are observe, enforce"],
    ["an unknown naming", ["--tenant-id", "hash"], {}, "Allowed choices are alias, metadata.<field>, team"],
    ["a missing variable", [], { ADMIN_TOKEN: "", BURSAR_URL: "" }, "set BURSAR_URL, ADMIN_TOKEN"],
    ["an invalid URL", [], { BURSAR_URL: "bursar" }, "BURSAR_URL must be an http(s) URL"],
    ["a URL with a password", [], { LITELLM_URL: "http://a:b@localhost" }, "LITELLM_URL must not contain a password"],
  ])("exits 2 for %s, names it and shows the options", async (_, args, env, words) => {
    const { code, out, err } = await adopt(args, { env });
    expect([code, out, err]).toEqual([2, "", expect.stringContaining(words)]);
    expect(err).toContain("Usage: npm run adopt -- [options]");
  });

  it("requires --from", async () => {
    const { code, err } = await adopt([], { from: [] });
    expect([code, err]).toEqual([2, expect.stringContaining("required option '--from <source>' not specified")]);
  });

  it.each(["--help", "-h"])("prints options, variables and exit codes for %s and sends no request", async (flag) => {
    world.litellm.clearRequests();
    const { code, out, err } = await adopt([flag, "--apply"]);
    expect([code, err]).toEqual([0, ""]);
    for (const words of ["--keys-of-teams", "LITELLM_MASTER_KEY", "Exit codes:", "130"]) expect(out).toContain(words);
    expect(world.litellm.requests()).toEqual([]);
  });
});
