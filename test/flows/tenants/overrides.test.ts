// Overrides from grant to end: Postgres, the edge, LiteLLM and the channels each follow, whatever is away or dies.

import { beforeEach, describe, expect, it } from "vitest";
import { limitAt } from "../../../src/budget/limit.ts";
import { announceChanges } from "../../../src/flows/alerts/announce-changes.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { syncPending } from "../../../src/flows/litellm/sync-pending.ts";
import { endOverrides } from "../../../src/flows/overrides/end-overrides.ts";
import { grantOverride } from "../../../src/flows/overrides/grant-override.ts";
import { revokeOverride } from "../../../src/flows/overrides/revoke-override.ts";
import type { NewOverride } from "../../../src/records/override.ts";
import { DAY, MINUTE, NOW, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { aNewOverride } from "../../support/builders/override-builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { killedAfter } from "../../support/faults/killed-after.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const acme = idOf("acme");
const key = { tenantId: acme, overrideId: uuidOf(1) };
const hash = sha256(VIRTUAL_KEY);
const { world, deps, deliver, notices } = useSpendWorld();

const AT = NOW + MINUTE;
beforeEach(() => {
  world.now = AT;
});

async function grant(differences: Partial<NewOverride> = {}, now = AT) {
  const override = aNewOverride(differences);
  const actor = anActor({ now, operation: { id: override.id, idempotency: null } });
  const granted = await grantOverride({ override, actor }, deps);
  if (!granted.ok) throw new Error(granted.failure);
  return granted.value;
}

const revoke = (now: number) => revokeOverride({ key, actor: anActor({ name: "bob", now }) }, deps);
const load = async () => {
  const tenant = await deps.tenants.load(acme);
  if (tenant === null) throw new Error("acme is gone");
  return tenant;
};
const details = async () =>
  (
    await world.db.query<{ detail: Record<string, unknown> }>(
      "select detail from budget_alert_history order by created_at",
    )
  ).map(({ detail }) => detail);

/** Delivers all queued messages now, whatever their delay. */
const deliverQueued = () => deliver(...deps.spendQueue.sent.splice(0).map(({ message }) => message));

describe("granting an override", () => {
  it("R2: reaches Postgres, the edge, LiteLLM and the channels at once", async () => {
    const { tenant } = await grant();
    expect(tenant.sync.status).toBe("synced");
    expect(await load()).toEqual(tenant);
    expect(deps.snapshots.configs.get(acme)).toEqual(tenant.config);
    expect(deps.memory.tenant(acme)?.config).toEqual(tenant.config);
    expect(deps.spendQueue.sent.map(({ delaySeconds }) => delaySeconds)).toEqual([5, 65]);
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 660, litellm_budget_table: { soft_budget: 480 } });
    expect(await notices()).toEqual(["override_granted"]);
    expect(await details()).toEqual([
      {
        override_id: uuidOf(1),
        override_amount: "100",
        expires_at: "2026-11-16T12:00:00.000Z",
        reason: "launch week",
        granted_by: "alice",
      },
    ]);
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("grants while LiteLLM is away, reports it as pending, and the sweep syncs it", async () => {
    await world.litellm.stop();
    const { tenant } = await grant();
    expect(tenant.sync.status).toBe("pending");
    expect(deps.snapshots.configs.get(acme)).toMatchObject({ overrides: [{ id: uuidOf(1) }] });
    expect(await notices()).toEqual(["override_granted"]);
    await world.litellm.restart();
    await syncPending({ now: AT + 2 * MINUTE }, { ...deps, litellm: world.deps().litellm });
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 660 });
  });

  it("grants while KV, the queues and the channels are away", async () => {
    deps.noticeQueue.isAway = true;
    deps.spendQueue.isAway = true;
    deps.snapshots.writeConfig = () => Promise.reject(new Error("KV is down"));
    const { tenant } = await grant();
    expect([tenant.sync.status, limitAt(tenant.config, AT).limitNanoUsd]).toEqual(["synced", usd("600")]);
    expect(await notices()).toEqual(["override_granted"]);
  });

  it("grants once when one request is sent twice at once: one notice, one audit line, one limit", async () => {
    await Promise.all([grant(), grant()]); // of one operation
    expect((await load()).config.overrides).toHaveLength(1);
    expect(await notices()).toEqual(["override_granted"]);
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 660 });
  });

  it("counts both overrides of two administrators at once, in Postgres, at the edge and in LiteLLM alike", async () => {
    await Promise.all([grant(), grant({ id: uuidOf(2), amountNanoUsd: usd("50") })]);
    const { config, sync } = await load();
    expect([config.overrides.length, sync.status]).toEqual([2, "synced"]);
    expect(deps.snapshots.configs.get(acme)).toEqual(config);
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 715 });
    expect(await notices()).toEqual(["override_granted", "override_granted"]);
  });

  it("reports a tenant that does not exist", async () => {
    const override = aNewOverride({ tenantId: idOf("nobody") });
    expect(await grantOverride({ override, actor: anActor() }, deps)).toEqual({ ok: false, failure: "not_found" });
  });
});

describe("revoking an override", () => {
  it("reaches Postgres, the edge, LiteLLM and the channels at once, with its actor", async () => {
    await grant();
    world.now += MINUTE;
    const revoked = await revoke(world.now);
    expect(revoked.ok && revoked.value.sync.status).toBe("synced");
    expect(deps.snapshots.configs.get(acme)).toEqual((await load()).config);
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 550, litellm_budget_table: { soft_budget: 400 } });
    expect(await notices()).toEqual(["override_granted", "override_ended"]);
    expect((await details())[1]).toMatchObject({ revoked_at: "2026-11-15T12:02:00.000Z", revoked_by: "bob" });
  });

  it("revokes once when it is repeated, or sent twice at once", async () => {
    await grant();
    await Promise.all([revoke(AT + 1), revoke(AT + 1)]);
    await revoke(AT + 2);
    expect(await notices()).toEqual(["override_granted", "override_ended"]);
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 550 });
  });

  it("leaves an ended override alone, and reports an unknown one", async () => {
    await grant();
    const before = await load();
    deps.spendQueue.sent.length = 0;
    expect(await revoke(NOW + DAY)).toMatchObject({ ok: true });
    expect(await load()).toEqual(before);
    // The sweep announces its end.
    expect([await notices(), deps.spendQueue.sent]).toEqual([["override_granted"], []]);
    const unknown = { tenantId: acme, overrideId: uuidOf(9) };
    expect(await revokeOverride({ key: unknown, actor: anActor() }, deps)).toEqual({ ok: false, failure: "not_found" });
  });
});

describe("the end of an override", () => {
  it("R2: syncs LiteLLM, audits and announces without any request", async () => {
    await grant();
    deps.spendQueue.sent.length = 0;
    world.now = NOW + DAY + 20_000;
    await endOverrides({ now: world.now }, deps);
    expect((await load()).sync.status).toBe("pending");
    await deliverQueued();
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 550, litellm_budget_table: { soft_budget: 400 } });
    expect((await load()).sync.status).toBe("synced");
    expect(deps.snapshots.configs.get(acme)).toEqual((await load()).config);
    expect(await notices()).toEqual(["override_granted", "override_ended"]);
    const lines = await world.db.query("select actor from audit_log where action = 'override_ended'");
    expect(lines).toEqual([{ actor: "bursar" }]);
  });

  it("syncs LiteLLM at its instant by a message that the sweep before has queued", async () => {
    await grant();
    deps.spendQueue.sent.length = 0;
    await endOverrides({ now: NOW + DAY - 30_500 }, deps);
    expect(deps.spendQueue.sent).toEqual([{ message: { kind: "sync_litellm", tenant_id: "acme" }, delaySeconds: 31 }]);
    expect((await load()).sync.status).toBe("synced");
    world.now = NOW + DAY + 500;
    await deliverQueued();
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 550 });
    expect(await notices()).toEqual(["override_granted"]);
    await endOverrides({ now: NOW + DAY + 29_500 }, deps);
    expect(await notices()).toEqual(["override_granted", "override_ended"]);
  });

  it("records, announces and audits once when two sweeps run at once", async () => {
    await grant();
    await Promise.all([endOverrides({ now: NOW + DAY }, deps), endOverrides({ now: NOW + DAY }, deps)]);
    await endOverrides({ now: NOW + DAY + MINUTE }, deps);
    expect(await notices()).toEqual(["override_granted", "override_ended"]);
    expect(await world.db.query("select 1 from audit_log where action = 'override_ended'")).toHaveLength(1);
  });

  it("lets later sweeps catch up when LiteLLM and the queue are away", async () => {
    await grant();
    deps.spendQueue.isAway = true;
    world.now = NOW + DAY;
    await expect(endOverrides({ now: world.now }, deps)).rejects.toThrow("queue");
    deps.spendQueue.isAway = false;
    world.now += MINUTE;
    await Promise.all([
      syncPending({ now: world.now }, deps),
      announceChanges({ now: world.now }, deps),
      endOverrides({ now: world.now }, deps),
    ]);
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 550 });
    expect(await notices()).toEqual(["override_granted", "override_ended"]);
  });

  it("leaves no old limit in LiteLLM after a sync that began before it and finished after it", async () => {
    await grant();
    await endOverrides({ now: NOW + DAY }, deps);
    await syncLiteLlm({ tenantId: acme, now: NOW + DAY }, deps);
    await syncLiteLlm({ tenantId: acme, now: NOW + DAY - 1 }, deps);
    expect(await world.keyRow(hash)).toMatchObject({ max_budget: 550 });
  });
});

describe("a process that dies", () => {
  const OUTSIDE = ["tenants", "overrides", "alerts", "litellm", "snapshots", "spendQueue", "noticeQueue"] as const;

  /** Runs the jobs of the sweeps of the next minutes. */
  async function sweeps(from: number) {
    deps.memory = world.deps().memory;
    for (const now of [from + MINUTE, from + 2 * MINUTE]) {
      world.now = now;
      await endOverrides({ now }, deps);
      await syncPending({ now }, deps);
      await announceChanges({ now }, deps);
    }
  }

  const states = {
    granted: { limit: 660, notices: ["override_granted"], from: AT },
    revoked: { limit: 550, notices: ["override_granted", "override_ended"], from: AT + MINUTE },
    ended: { limit: 550, notices: ["override_granted", "override_ended"], from: NOW + DAY },
  } as const;

  it.each(["granted", "revoked", "ended"] as const)(
    "%s: loses nothing and does nothing twice",
    async (state) => {
      const { limit, notices: wanted, from } = states[state];
      const begin = async () => {
        await world.db.query("truncate budget_overrides, budget_alert_history cascade");
        await world.db.query("delete from audit_log where action like 'override%'");
        Object.assign(deps, { memory: world.deps().memory });
        deps.noticeQueue.sent.length = 0;
        world.now = AT;
        if (state !== "granted") await grant();
        world.now = from;
      };
      const run = async (ports: typeof deps) => {
        if (state === "granted")
          await grantOverride({ override: aNewOverride(), actor: anActor({ now: from }) }, ports);
        if (state === "revoked") await revokeOverride({ key, actor: anActor({ now: from }) }, ports);
        if (state === "ended") await endOverrides({ now: from }, ports);
      };
      await begin();
      const whole = killedAfter({ ...deps }, OUTSIDE, Number.POSITIVE_INFINITY);
      await run(whole.ports);
      // The first call is the change itself; a process that dies before it has changed nothing.
      for (let last = 1; last < whole.calls(); last++) {
        await begin();
        await run(killedAfter({ ...deps }, OUTSIDE, last).ports).catch(() => "died");
        await sweeps(from);
        expect(await notices(), `after step ${last}`).toEqual(wanted);
        expect((await world.keyRow(hash)).max_budget, `after step ${last}`).toBe(limit);
        expect(await world.db.query("select 1 from notice_deliveries")).toHaveLength(2 * wanted.length);
      }
    },
    120_000,
  );
});
