// Whose an idempotency key is: of one caller and one route. And acts, which create nothing, are done once under a key.

import { beforeEach, expect, it } from "vitest";
import { useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, claims, call, create } = useTenantsApi();
const GRANT = { override_amount: 5, duration: "1h", reason: "launch" };
const KEY = { key: "k1" };
const act = (name: string, tenantId = "acme") => call("POST", `/v1/tenants/${tenantId}/${name}`, undefined, KEY);
const grant = (tenantId: string) => call("POST", `/v1/tenants/${tenantId}/overrides`, GRANT, KEY);

beforeEach(async () => void (await create()));

it("belongs to one caller: the same key of another is another key, also without Redis", async () => {
  for (const isAway of [false, true]) {
    claims().isAway = isAway;
    const ids = ["a", "b"].map((letter) => `${letter}-${isAway}`);
    const [alices, bobs] = await Promise.all([
      call("POST", "/v1/tenants", { tenant_id: ids[0] }, { ...KEY, token: "admin" }),
      call("POST", "/v1/tenants", { tenant_id: ids[1] }, { ...KEY, token: "bobs" }),
    ]);
    if (isAway)
      expect(alices.status).toBe(422); // alice has used it for another tenant
    else expect([alices.status, alices.headers.get("Idempotency-Replayed")]).toEqual([201, null]);
    expect(bobs.status).toBe(alices.status);
  }
});

it("belongs to one tenant, so that neither forgets what the other was granted", async () => {
  await create({ tenant_id: "other" });
  const first = await grant("acme");
  const others = await grant("other");
  claims().answers.clear();
  expect([(await grant("acme")).body.id, (await grant("other")).body.id]).toEqual([first.body.id, others.body.id]);
  expect(others.body.id).not.toBe(first.body.id);
});

it("suspends and resumes with one key, each of them once", async () => {
  const states = [];
  for (const name of ["suspend", "resume", "suspend"]) {
    const { body, headers } = await act(name);
    states.push([body.state, headers.get("Idempotency-Replayed")]);
  }
  expect(states).toEqual([
    ["blocked", null],
    ["ok", null],
    ["blocked", "true"],
  ]);
  expect((await call("GET", "/v1/tenants/acme")).body.state).toBe("ok");
});

it("keeps no answer of an act that was refused", async () => {
  expect((await act("suspend", "nobody")).status).toBe(404);
  await create({ tenant_id: "nobody" });
  expect((await act("suspend", "nobody")).status).toBe(200);
  expect(await world.db.query("select from tenant_configs where suspended_at is not null")).toHaveLength(1);
});
