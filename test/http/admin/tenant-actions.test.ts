// Suspend, resume and reset over HTTP: statuses, access, and the problems of a failed reset. On a real Postgres and
// LiteLLM's simulator.

import { beforeEach, describe, expect, it } from "vitest";
import { NOW } from "../../budget/builders.ts";
import { useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, deps, call, create } = useTenantsApi();
const at = new Date(NOW).toISOString();
const act = (name: string, id = "acme", options = {}) => call("POST", `/v1/tenants/${id}/${name}`, undefined, options);

beforeEach(async () => void (await create()));

it("suspends and resumes idempotently, and answers the tenant", async () => {
  for (let round = 0; round < 2; round++) {
    const { status, body } = await act("suspend");
    expect([status, body.state, body.suspended_at, body.litellm_sync]).toEqual([200, "blocked", at, "synced"]);
  }
  for (let round = 0; round < 2; round++) {
    const { status, body } = await act("resume");
    expect([status, body.state, body.suspended_at, body.litellm_sync]).toEqual([200, "ok", null, "synced"]);
  }
});

it("suspends while LiteLLM is down, and shows a pending sync", async () => {
  await world.litellm.stop();
  const { status, body } = await act("suspend");
  expect([status, body.state, body.litellm_sync]).toEqual([200, "blocked", "pending"]);
  await world.litellm.restart();
});

describe.each(["suspend", "resume", "reset"])("%s", (name) => {
  it("accepts admin tokens only", async () => {
    expect((await act(name, "acme", { token: "read" })).status).toBe(403);
    expect((await act(name, "acme", { token: "wrong" })).status).toBe(401);
    expect((await call("GET", `/v1/tenants/acme/${name}`)).status).toBe(405);
  });

  it("answers 404 for a missing tenant, whatever its id looks like", async () => {
    for (const id of ["nobody", "%2F", "x".repeat(500)]) expect((await act(name, id)).status).toBe(404);
  });

  it("answers 503 while Postgres is down", async () => {
    world.db.away();
    const { status, body } = await act(name).finally(() => world.db.back());
    expect([status, body.type]).toEqual([503, "urn:bursar:problem:dependency-unavailable"]);
  });
});

describe("a reset", () => {
  it("answers the tenant with zero spend in a period that starts now", async () => {
    const { subject, resets_at } = (await call("GET", "/v1/tenants/acme")).body;
    world.litellm.setSpend(subject.id, 600);
    world.now = NOW + 5_000;
    const { status, body } = await act("reset");
    expect([status, body.spend, body.state, body.resets_at]).toEqual([200, 0, "ok", resets_at]);
    expect(body.period_started_at).toBe(new Date(world.now).toISOString());
  });

  it("answers 503 while LiteLLM is down, and changes nothing", async () => {
    const before = await deps.tenants.load("acme" as never);
    await world.litellm.stop();
    const { status, headers, body } = await act("reset");
    expect([status, headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(body.detail).toBe(
      "LiteLLM did not answer and may have zeroed the spend. Bursar changed nothing. Send the reset again.",
    );
    expect(await deps.tenants.load("acme" as never)).toEqual(before);
    await world.litellm.restart();
  });

  it("asks to send the reset again when LiteLLM goes down after it zeroed the spend", async () => {
    deps.litellm.readSubject = async () => ({ ok: false, failure: { kind: "unreachable", why: "time-out" } });
    const { status, body } = await act("reset");
    expect([status, body.detail]).toEqual([
      503,
      "LiteLLM zeroed the spend, but Bursar could not read it back. Send the reset again.",
    ]);
  });

  it("says that LiteLLM zeroed the spend when Postgres then fails, and completes when sent again", async () => {
    const { subject } = (await call("GET", "/v1/tenants/acme")).body;
    world.litellm.setSpend(subject.id, 600);
    const { readSubject } = deps.litellm;
    deps.litellm.readSubject = async (...args) => {
      const read = await readSubject(...args);
      world.db.away();
      return read;
    };
    const { status, headers, body } = await act("reset").finally(() => world.db.back());
    expect([status, headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(body.detail).toBe(
      "LiteLLM zeroed the spend, but Postgres did not confirm the new period. Send the reset again.",
    );
    deps.litellm.readSubject = readSubject;
    world.now = NOW + 5_000;
    expect((await act("reset")).body.period_started_at).toBe(new Date(world.now).toISOString());
    expect(await world.db.query("select actor from audit_log where action = 'period_reset'")).toEqual([
      { actor: "alice" },
    ]);
  });

  it("answers 422 for a team, which LiteLLM cannot zero, and for an unknown key", async () => {
    await world.manage("POST", "/team/new", { team_id: "red", max_budget: 10 });
    await create({ tenant_id: "red", litellm_team_id: "red" });
    const ofTeam = await act("reset", "red");
    expect([ofTeam.status, ofTeam.body.type]).toEqual([422, "urn:bursar:problem:litellm-refused"]);
    const { subject } = (await call("GET", "/v1/tenants/acme")).body;
    await world.manage("POST", "/key/delete", { keys: [subject.id] });
    const ofKey = await act("reset");
    expect([ofKey.status, ofKey.body.detail]).toEqual([422, "LiteLLM does not know this key."]);
  });

  it.each([
    [400, 422, "litellm-refused"],
    [401, 503, "dependency-unavailable"],
  ])("turns LiteLLM's %i into a %i %s", async (refusal, status, type) => {
    deps.litellm.resetSpend = async () => ({
      ok: false,
      failure: { kind: "refused", status: refusal, param: null, message: "no" },
    });
    const answer = await act("reset");
    expect([answer.status, answer.body.type]).toEqual([status, `urn:bursar:problem:${type}`]);
  });
});
