// Every write over HTTP while Postgres makes the change and its answer is lost: Bursar looks before it answers, and
// nothing is done twice. Real Postgres and simulator.

import { describe, expect, it, vi } from "vitest";
import { NOW, SECOND } from "../../budget/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import type { Answer } from "../../support/worlds/http-world.ts";
import { useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, deps, claims, call, create } = useTenantsApi();

const GRANT = { override_amount: 100, duration: "7d", reason: "launch week" };
const WEBHOOK = { kind: "webhook", name: "ops", url: "https://hooks.example.com/x" };
const REFUSED = { kind: "refused", status: 400, param: null, message: "no" } as const;
const LETTER = "11111111-1111-4111-8111-111111111111";

let overrideId: string;
let channelId: string;

const newOverride = async () => (await call("POST", "/v1/tenants/acme/overrides", GRANT)).body.id;
const newChannel = async () => (await call("POST", "/v1/channels", WEBHOOK)).body.id;
const aLetter = () =>
  world.db.query(
    `insert into dead_letters (id, queue, message_id, body, recorded_at) values ($1::uuid, 'spend', 'message', '{}', now())
      on conflict (id) do update set replayed_at = null`,
    [LETTER],
  );
const adopt = (key?: string) => create({ litellm_key: VIRTUAL_KEY }, key);
const generate = () => world.manage("POST", "/key/generate", { key: VIRTUAL_KEY, max_budget: 20 });
const suspend = () => call("POST", "/v1/tenants/acme/suspend");

interface Write {
  readonly action: string;
  readonly given?: () => Promise<unknown>;
  readonly send: () => Promise<Answer>;
  readonly answers: object;
}

/** What each write is preceded by, and what it answers as if its answer had not been lost. */
const WRITES: Record<string, Write> = {
  "the creation of a tenant": {
    action: "tenant_created",
    send: () => create(),
    answers: { status: 201, body: { litellm_sync: "synced", virtual_key: expect.stringMatching(/^sk-/) } },
  },
  "an adoption": {
    action: "tenant_created",
    given: generate,
    send: () => adopt(),
    answers: { status: 201, body: { adopted: true, max_budget: 20, litellm_sync: "synced" } },
  },
  "a change of a tenant": {
    action: "tenant_changed",
    given: create,
    send: () => call("PATCH", "/v1/tenants/acme", { max_budget: 7 }),
    answers: { status: 200, body: { max_budget: 7, litellm_sync: "synced" } },
  },
  "the deletion of a tenant": {
    action: "tenant_deleted",
    given: create,
    send: () => call("DELETE", "/v1/tenants/acme"),
    answers: { status: 204 },
  },
  "a suspension": {
    action: "tenant_suspended",
    given: create,
    send: suspend,
    answers: { status: 200, body: { state: "blocked", litellm_sync: "synced" } },
  },
  "a release": {
    action: "tenant_resumed",
    given: () => create().then(suspend),
    send: () => call("POST", "/v1/tenants/acme/resume"),
    answers: { status: 200, body: { state: "ok", litellm_sync: "synced" } },
  },
  "a reset": {
    action: "period_reset",
    given: create,
    send: () => call("POST", "/v1/tenants/acme/reset"),
    answers: { status: 200, body: { spend: 0 } },
  },
  "a grant": {
    action: "override_granted",
    given: create,
    send: () => call("POST", "/v1/tenants/acme/overrides", GRANT),
    answers: { status: 201, body: { state: "active", litellm_sync: "synced" } },
  },
  "a revocation": {
    action: "override_revoked",
    given: async () => {
      await create();
      overrideId = await newOverride();
    },
    send: () => call("DELETE", `/v1/tenants/acme/overrides/${overrideId}`),
    answers: { status: 204 },
  },
  "the creation of a channel": {
    action: "channel_created",
    send: () => call("POST", "/v1/channels", WEBHOOK),
    answers: { status: 201, body: { signing_secret: expect.stringMatching(/^whsec_/) } },
  },
  "a change of a channel": {
    action: "channel_changed",
    given: async () => {
      channelId = await newChannel();
    },
    send: () => call("PATCH", `/v1/channels/${channelId}`, { name: "on call" }),
    answers: { status: 200, body: { name: "on call" } },
  },
  "the removal of a channel": {
    action: "channel_deleted",
    given: async () => {
      channelId = await newChannel();
    },
    send: () => call("DELETE", `/v1/channels/${channelId}`),
    answers: { status: 204 },
  },
  "the replay of a dead letter": {
    action: "dead_letter_replayed",
    given: aLetter,
    send: () => call("POST", `/v1/dead-letters/${LETTER}/replay`),
    answers: { status: 200, body: { replayed_by: "alice" } },
  },
};

const linesOf = (action: string) => world.db.query("select id from audit_log where action = $1", [action]);
const alertsOf = (eventType: string) =>
  world.db.query("select id from budget_alert_history where event_type = $1", [eventType]);

describe.each(Object.entries(WRITES))("%s", (_, { action, given, send, answers }) => {
  it("looks a write up when its answer is lost, and answers as if it had come", async () => {
    await given?.();
    world.db.losesAnswers(1);
    expect(await send()).toMatchObject(answers);
    expect(await linesOf(action)).toHaveLength(1);
  });

  it("says that a write is unknown when the look-up gets no answer either, and makes it once", async () => {
    await given?.();
    world.db.losesAnswers(2);
    const answer = await send();
    expect([answer.status, answer.body.detail]).toEqual([
      503,
      expect.stringMatching(/may have been made|Send the reset/),
    ]);
    expect(await linesOf(action)).toHaveLength(1);
  });
});

it("announces a suspension and a grant whose answers were lost", async () => {
  await create();
  world.db.losesAnswers(1);
  await suspend();
  world.db.losesAnswers(1);
  await newOverride();
  expect([await alertsOf("tenant_suspended"), await alertsOf("override_granted")]).toMatchObject([[{}], [{}]]);
});

it("does not take another's tenant for its own after a lost answer", async () => {
  await create();
  world.db.losesAnswers(1);
  expect((await create({ max_budget: 7 })).status).toBe(409);
  expect((await call("GET", "/v1/tenants/acme")).body.max_budget).toBe(500);
});

describe("repeating a creation with its idempotency key after an unknown outcome", () => {
  const unknown = async (send: () => Promise<Answer>) => {
    world.db.losesAnswers(2);
    expect((await send()).status).toBe(503);
  };
  const keyOf = async (hash: string) => (await world.keyRow(hash))?.max_budget;

  it("answers 201 with a key that works, and not as a replay", async () => {
    await unknown(() => create({}, "k1"));
    vi.setSystemTime(NOW + 30 * SECOND);
    const { status, body, headers } = await create({}, "k1");
    expect([status, headers.get("Idempotency-Replayed"), headers.get("Cache-Control")]).toEqual([
      201,
      null,
      "no-store, no-transform",
    ]);
    expect(await keyOf(sha256(body.virtual_key))).toBe(550);
    expect(await linesOf("tenant_created")).toHaveLength(1);
    const again = await create({}, "k1");
    expect([again.headers.get("Idempotency-Replayed"), again.body.virtual_key]).toEqual(["true", undefined]);
    expect(again.body.note).toContain("POST /v1/tenants/acme/keys");
  });

  it("replaces a key that LiteLLM has already, and deletes the one that nobody has seen", async () => {
    const first = await create({}, "k1");
    claims().answers.clear(); // as if the Worker had died before it answered
    const second = await create({}, "k1");
    expect([second.status, second.headers.get("Idempotency-Replayed")]).toEqual([201, null]);
    expect(await keyOf(sha256(second.body.virtual_key))).toBe(550);
    expect(await world.keyRow(sha256(first.body.virtual_key))).toBeNull();
    const keys = await world.db.query("select key_hash from tenant_keys");
    expect(keys).toEqual([{ key_hash: sha256(second.body.virtual_key) }]);
    expect(second.body).toMatchObject({ spend: 0, litellm_sync: "synced" });
  });

  it("shows the replaced key although LiteLLM does not delete the other one", async () => {
    await create({}, "k1");
    claims().answers.clear();
    deps.litellm.deleteKey = async () => ({ ok: false, failure: { kind: "unreachable", why: "time-out" } });
    const { body } = await create({}, "k1");
    expect(await keyOf(sha256(body.virtual_key))).toBe(550);
    expect(deps.log.lines.join()).toContain("replaced key not deleted");
  });

  it("keeps the tenant when LiteLLM refuses its replaced key: the tenant may be in use", async () => {
    await create({}, "k1");
    claims().answers.clear();
    vi.setSystemTime(NOW + SECOND);
    deps.litellm.createKey = async () => ({ ok: false, failure: REFUSED });
    expect([(await create({}, "k1")).status, (await call("GET", "/v1/tenants/acme")).status]).toEqual([422, 200]);
  });

  it("leaves alone a key that the tenant was given since", async () => {
    await create({}, "k1");
    const other = "b".repeat(64);
    await world.db.query("update tenant_configs set subject_id = $1", [other]);
    claims().answers.clear();
    const { status, body, headers } = await create({}, "k1");
    expect([status, headers.get("Idempotency-Replayed"), body.virtual_key]).toEqual([201, "true", undefined]);
    expect(body.subject.id).toBe(other);
  });

  it("leaves every key alone while Redis cannot say that none was shown", async () => {
    claims().isAway = true;
    const first = await create({}, "k1");
    const second = await create({}, "k1");
    expect([second.status, second.headers.get("Idempotency-Replayed")]).toEqual([201, "true"]);
    expect(second.body.virtual_key).toBeUndefined();
    expect(await keyOf(sha256(first.body.virtual_key))).toBe(550);
  });

  it("answers 201 with the adopted tenant", async () => {
    await generate();
    await unknown(() => adopt("k1"));
    expect(await adopt("k1")).toMatchObject({ status: 201, body: { adopted: true, litellm_sync: "synced" } });
  });

  it("grants the override once", async () => {
    await create();
    const grant = () => call("POST", "/v1/tenants/acme/overrides", GRANT, { key: "k1" });
    await unknown(grant);
    expect(await grant()).toMatchObject({ status: 201, body: { state: "active" } });
    expect((await call("GET", "/v1/tenants/acme")).body.limit).toBe(600);
  });

  it("shows a new secret of the channel, unless it was rotated since", async () => {
    const channel = () => call("POST", "/v1/channels", WEBHOOK, { key: "k1" });
    await unknown(channel);
    const { status, body } = await channel();
    expect([status, body.signing_secret]).toEqual([201, expect.stringMatching(/^whsec_/)]);
    vi.setSystemTime(NOW + SECOND);
    await call("PATCH", `/v1/channels/${body.id}`, { rotate_secret: true });
    claims().answers.clear();
    const again = await channel();
    expect([again.status, again.body.id, again.body.signing_secret]).toEqual([201, body.id, undefined]);
    expect(again.body.note).toContain("rotate_secret");
    expect((await call("GET", "/v1/channels")).body.data).toHaveLength(1);
  });

  it("creates one e-mail channel, which has no secret", async () => {
    const channel = () =>
      call("POST", "/v1/channels", { kind: "email", name: "ops", to: "ops@example.com" }, { key: "k1" });
    await unknown(channel);
    expect((await channel()).status).toBe(201);
    expect((await call("GET", "/v1/channels")).body.data).toHaveLength(1);
  });

  it.each([
    ["a tenant", () => create({}, "k1"), () => create({ max_budget: 7 }, "k1")],
    [
      "a grant",
      () => call("POST", "/v1/tenants/acme/overrides", GRANT, { key: "k1" }),
      () => call("POST", "/v1/tenants/acme/overrides", { ...GRANT, override_amount: 7 }, { key: "k1" }),
    ],
    [
      "a channel",
      () => call("POST", "/v1/channels", WEBHOOK, { key: "k1" }),
      () => call("POST", "/v1/channels", { ...WEBHOOK, name: "other" }, { key: "k1" }),
    ],
  ])("refuses %s with another body, also without Redis", async (what, send, other) => {
    if (what === "a grant") await create();
    claims().isAway = true;
    expect((await send()).status).toBe(201);
    const refused = await other();
    expect([refused.status, refused.body.type]).toEqual([422, "urn:bursar:problem:idempotency-key-reused"]);
  });

  it("creates anew when what it had created is gone", async () => {
    claims().isAway = true;
    await create({}, "k1");
    await world.db.query("delete from tenant_configs");
    const { status, body } = await create({}, "k1");
    expect([status, body.virtual_key]).toEqual([201, expect.stringMatching(/^sk-/)]);
  });
});
