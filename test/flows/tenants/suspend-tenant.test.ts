// The kill switch: Bursar and LiteLLM refuse, each audit line and notice once, and only Bursar's own block is lifted.

import { beforeEach, describe, expect, it } from "vitest";
import type { Subject } from "../../../src/budget/tenant.ts";
import { stateAt } from "../../../src/budget/verdict.ts";
import { hasDrifted } from "../../../src/flows/litellm/drift.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { syncPending } from "../../../src/flows/litellm/sync-pending.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { deleteTenant } from "../../../src/flows/tenants/delete-tenant.ts";
import { resumeTenant, suspendTenant } from "../../../src/flows/tenants/suspend-tenant.ts";
import type { LiteLlm } from "../../../src/ports/ports.ts";
import { MINUTE, NOW, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");
const hash = sha256(VIRTUAL_KEY);
const { world, deps, renewDeps } = useAdminWorld();

beforeEach(async () => {
  await createTenant(ownKeyInput(), deps);
  await world.db.query("delete from notification_channels");
  await world.db.query(
    "insert into notification_channels (id, kind, name, sealed_target) values (gen_random_uuid(), 'slack', 'ops', 's')",
  );
});

const actor = anActor({ now: NOW + MINUTE });

async function switched(run: typeof suspendTenant, ports = deps) {
  const result = await run({ tenantId: acme, actor }, ports);
  if (!result.ok) throw new Error(result.failure);
  return result.value;
}
const suspend = () => switched(suspendTenant);
const resume = () => switched(resumeTenant);

async function chat(key = VIRTUAL_KEY) {
  const response = await fetch(`${world.litellm.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "mock", messages: [] }),
  });
  return { status: response.status, text: await response.text() };
}

const switches = () =>
  world.db.query<{ id: number; action: string }>(
    "select id::int, action from audit_log where action in ('tenant_suspended', 'tenant_resumed') order by id",
  );
const alerts = () =>
  world.db.query<{ event_type: string; detail: unknown }>("select event_type, detail from budget_alert_history");
const litellmRow = async (subject: Subject = { kind: "key", id: hash }) => {
  const read = await deps.litellm.readSubject(subject, { tries: 1 });
  if (!read.ok) throw new Error(read.failure.kind);
  return read.value;
};

describe("suspending a tenant", () => {
  it("reaches Postgres, the edge and LiteLLM, which refuses the key's next call", async () => {
    expect((await chat()).status).toBe(200);
    const tenant = await suspend();
    expect(tenant.config.suspendedAt).toBe(actor.now);
    expect(tenant.sync.status).toBe("synced");
    expect(deps.memory.tenant(acme)?.config?.suspendedAt).toBe(actor.now);
    expect(deps.snapshots.configs.get(acme)).toMatchObject({ suspendedAt: actor.now });
    const refused = await chat();
    expect([refused.status, refused.text]).toEqual([401, expect.stringContaining("Key is blocked")]);
  });

  it("writes an audit line with before, after, actor and request, and a notice that names the line", async () => {
    const [before] = await world.db.query<{ revision: string }>("select revision from tenant_configs");
    await suspend();
    const [line] = await world.db.query(
      "select id::int, actor, request_id, before->>'suspended_at' as before, after->>'suspended_at' as after from audit_log where action = 'tenant_suspended'",
    );
    const at = new Date(actor.now).toISOString();
    expect(line).toMatchObject({ actor: "alice", request_id: "request-1", before: null, after: at });
    expect(await alerts()).toEqual([{ event_type: "tenant_suspended", detail: { audit_id: line?.["id"] } }]);
    expect(deps.noticeQueue.sent).toHaveLength(1);
    const [after] = await world.db.query<{ revision: string }>("select revision from tenant_configs");
    expect(Number(after?.revision)).toBeGreaterThan(Number(before?.revision));
  });

  it("changes, audits and announces nothing for a suspended tenant", async () => {
    const first = await suspend();
    const again = await switched(suspendTenant);
    expect(again).toEqual(first);
    expect(await switches()).toHaveLength(1);
    expect(deps.noticeQueue.sent).toHaveLength(1);
  });

  it("suspends while LiteLLM is away, and the sweep blocks the key there", async () => {
    await world.litellm.stop();
    const tenant = await suspend();
    expect(tenant.sync.status).toBe("pending");
    expect(stateAt(tenant.config, usd("0"), actor.now)).toEqual({ state: "blocked", reason: "suspended" });
    await world.litellm.restart();
    renewDeps();
    expect((await chat()).status).toBe(200);
    await syncPending({ now: NOW + 10 * MINUTE }, deps);
    expect((await chat()).status).toBe(401);
  });

  it("blocks even when LiteLLM refuses other fields of the desired state", async () => {
    await deps.tenants.change(acme, { maxBudgetNanoUsd: usd("7"), alertThreshold: 9_000n }, anActor());
    const no = { ok: false, failure: { kind: "refused", status: 400, param: null, message: "no" } } as const;
    const { updateSubject } = deps.litellm;
    deps.litellm.updateSoftBudget = async () => no;
    deps.litellm.updateSubject = async (subject, fields) =>
      fields.maxBudgetNanoUsd === undefined ? updateSubject(subject, fields) : no;
    expect((await suspend()).sync.status).toBe("pending");
    expect((await chat()).status).toBe(401);
    await resume();
    expect((await chat()).status).toBe(200);
  });

  it("creates a blocked key when LiteLLM has not created the key yet", async () => {
    await deleteTenant({ tenantId: acme, actor }, deps);
    await deps.tenants.remove(acme);
    await world.litellm.stop();
    await createTenant(ownKeyInput(), deps);
    await suspend();
    await world.litellm.restart();
    renewDeps();
    world.litellm.clearRequests();
    await syncPending({ now: NOW + 10 * MINUTE }, deps);
    expect(world.changesSent()).toEqual(["/key/generate"]);
    expect((await chat()).status).toBe(401);
    expect((await resume()).sync.status).toBe("synced");
    expect((await chat()).status).toBe(200);
  });

  it("counts for an observed tenant too, in LiteLLM as well", async () => {
    await deps.tenants.change(acme, { enforcement: "observe" }, anActor());
    await suspend();
    expect(await world.keyRow(hash)).toMatchObject({ blocked: true, max_budget: null });
  });

  it("refuses a team's keys", async () => {
    await world.manage("POST", "/team/new", { team_id: "red", max_budget: 10 });
    await world.manage("POST", "/key/generate", { key: "sk-of-red", team_id: "red" });
    await deleteTenant({ tenantId: acme, actor }, deps);
    await deps.tenants.remove(acme);
    const origin = { kind: "adopted", subject: { kind: "team", id: "red" } } as const;
    await createTenant(ownKeyInput({ origin }), deps);
    expect((await chat("sk-of-red")).status).toBe(200);
    await suspend();
    expect((await chat("sk-of-red")).text).toContain("Team=red is blocked");
    await resume();
    expect((await chat("sk-of-red")).status).toBe(200);
  });

  it("throws, with nothing half done, when Postgres is away", async () => {
    world.litellm.clearRequests();
    world.db.away();
    await expect(suspend().finally(() => world.db.back())).rejects.toThrow("postgres");
    expect(world.litellm.requests()).toEqual([]);
    expect(deps.snapshots.configs.get(acme)).toMatchObject({ suspendedAt: null });
  });

  it("suspends although KV and both queues are away", async () => {
    deps.snapshots.isAway = true;
    deps.spendQueue.isAway = true;
    deps.noticeQueue.isAway = true;
    expect((await suspend()).config.suspendedAt).toBe(actor.now);
    expect((await chat()).status).toBe(401);
  });
});

describe("resuming a tenant", () => {
  it("restores LiteLLM's key, and announces it once", async () => {
    const before = await world.keyRow(hash);
    await suspend();
    const tenant = await resume();
    expect(tenant.config.suspendedAt).toBeNull();
    expect((await chat()).status).toBe(200);
    expect((await world.keyRow(hash)).metadata).toEqual(before.metadata);
    await resume();
    expect((await switches()).map(({ action }) => action)).toEqual(["tenant_suspended", "tenant_resumed"]);
    expect((await alerts()).map(({ event_type: event }) => event).sort()).toEqual([
      "tenant_resumed",
      "tenant_suspended",
    ]);
  });

  it("leaves a block of another administrator in place", async () => {
    await world.manage("POST", "/key/block", { key: hash });
    expect(hasDrifted((await deps.tenants.load(acme)) ?? never(), await litellmRow(), NOW)).toBe(false);
    await suspend();
    expect(hasDrifted((await deps.tenants.load(acme)) ?? never(), await litellmRow(), NOW)).toBe(false);
    await resume();
    expect((await world.keyRow(hash)).blocked).toBe(true);
  });
});

describe("a suspended tenant", () => {
  it("finds a key that was unblocked in LiteLLM by the next read, and blocks it again", async () => {
    const tenant = await suspend();
    await world.manage("POST", "/key/unblock", { key: hash });
    expect(hasDrifted(tenant, await litellmRow(), NOW)).toBe(true);
    await syncLiteLlm({ tenantId: acme, now: NOW }, deps);
    expect((await chat()).status).toBe(401);
  });

  it("lifts Bursar's block on the release of an adopted key, and leaves another's", async () => {
    for (const isBlockedBefore of [false, true]) {
      await deleteTenant({ tenantId: acme, actor }, deps);
      await deps.tenants.remove(acme);
      const key = `sk-theirs-${isBlockedBefore}`;
      await world.manage("POST", "/key/generate", { key, max_budget: 5, metadata: { note: "theirs" } });
      if (isBlockedBefore) await world.manage("POST", "/key/block", { key: sha256(key) });
      const origin = { kind: "adopted", subject: { kind: "key", id: sha256(key) } } as const;
      await createTenant(ownKeyInput({ origin }), deps);
      await suspend();
      expect((await chat(key)).status).toBe(401);
      expect(await deleteTenant({ tenantId: acme, actor }, deps)).toEqual({ ok: true, value: "deleted" });
      const row = await world.keyRow(sha256(key));
      expect([row.blocked === true, row.metadata]).toEqual([isBlockedBefore, { note: "theirs" }]);
    }
  });
});

describe("two administrators at once", () => {
  it("make one audit line, one alert and one notice when both suspend", async () => {
    await Promise.all([suspend(), suspend(), suspend()]);
    expect(await switches()).toHaveLength(1);
    expect(await alerts()).toHaveLength(1);
    expect(deps.noticeQueue.sent).toHaveLength(1);
    expect((await chat()).status).toBe(401);
  });

  it("end alike in Postgres, at the edge and in LiteLLM when one suspends and one resumes", async () => {
    for (let round = 0; round < 4; round++) {
      await Promise.all(round % 2 === 0 ? [suspend(), resume()] : [resume(), suspend()]);
      const isSuspended = ((await deps.tenants.load(acme)) ?? never()).config.suspendedAt !== null;
      expect((await world.keyRow(hash)).blocked === true).toBe(isSuspended);
      expect(deps.snapshots.configs.get(acme)).toMatchObject({ suspendedAt: isSuspended ? actor.now : null });
    }
    const kinds = (await switches()).map(({ action }) => action);
    expect(kinds).toEqual(kinds.map((_, index) => (index % 2 === 0 ? "tenant_suspended" : "tenant_resumed")));
    expect(await alerts()).toHaveLength(kinds.length);
  });

  it.each(["goes on", "dies"])(
    "lifts a block that LiteLLM applies after the release, when the suspending process %s",
    async (fate) => {
      const { updateSubject } = deps.litellm;
      const late: LiteLlm = {
        ...deps.litellm,
        async updateSubject(subject, fields) {
          if (fields.blocked === true) await resume();
          return updateSubject(subject, fields);
        },
      };
      const dead = () => Promise.reject(new Error("the isolate is gone"));
      const tenants = fate === "dies" ? { ...deps.tenants, recordSync: dead } : deps.tenants;
      await switched(suspendTenant, { ...deps, litellm: late, tenants });
      if (fate === "dies") {
        expect((await chat()).status).toBe(401);
        expect(hasDrifted((await deps.tenants.load(acme)) ?? never(), await litellmRow(), NOW)).toBe(true);
        await syncLiteLlm({ tenantId: acme, now: NOW }, deps);
      }
      expect((await deps.tenants.load(acme))?.config.suspendedAt).toBeNull();
      expect((await chat()).status).toBe(200);
    },
  );
});

it("reports a tenant that does not exist", async () => {
  const input = { tenantId: idOf("nobody"), actor };
  expect(await suspendTenant(input, deps)).toEqual({ ok: false, failure: "not_found" });
  expect(await resumeTenant(input, deps)).toEqual({ ok: false, failure: "not_found" });
});

function never(): never {
  throw new Error("the tenant is gone");
}
