// Overrides with two runners at once: each act happens once, and all stores end in the same state. On every available
// Postgres, because only a real one lets statements wait for each other.

import { beforeEach, describe, expect, it } from "vitest";
import { announceChanges } from "../../../src/flows/alerts/announce-changes.ts";
import { endOverrides } from "../../../src/flows/overrides/end-overrides.ts";
import { grantOverride } from "../../../src/flows/overrides/grant-override.ts";
import { revokeOverride } from "../../../src/flows/overrides/revoke-override.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { DAY, MINUTE, NOW } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { aNewOverride } from "../../support/builders/override-builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const acme = idOf("acme");

describe.each(postgresBackends)("$name with two runners at once", (backend) => {
  const { world, deps } = useAdminWorld(backend);
  beforeEach(() => createTenant(ownKeyInput(), deps).then(() => {}));

  const grant = (number: number) => {
    const operation = { id: `grant ${number}`, idempotency: null };
    const actor = anActor({ now: NOW + number, operation });
    return grantOverride({ override: aNewOverride({ id: uuidOf(number) }), actor }, deps);
  };
  const revoke = (number: number) =>
    revokeOverride(
      { key: { tenantId: acme, overrideId: uuidOf(number) }, actor: anActor({ now: NOW + MINUTE }) },
      deps,
    );
  const notices = async () =>
    (await world.db.query<{ event: string }>("select event_type as event from budget_alert_history order by 1")).map(
      ({ event }) => event,
    );
  const audited = async () =>
    (
      await world.db.query<{ action: string }>(
        "select action from audit_log where action like 'override%' order by action",
      )
    ).map(({ action }) => action);
  const maxBudget = async () => (await world.keyRow(sha256(VIRTUAL_KEY))).max_budget;
  const config = async () => (await deps.tenants.load(acme))?.config;

  it("counts both grants, and Postgres, the edge and LiteLLM agree", async () => {
    await Promise.all([grant(1), grant(2)]);
    expect((await config())?.overrides).toHaveLength(2);
    expect(deps.snapshots.configs.get(acme)).toEqual(await config());
    expect(deps.memory.tenant(acme)?.config).toEqual(await config());
    expect(await maxBudget()).toBe(770);
    expect(await notices()).toEqual(["override_granted", "override_granted"]);
  });

  it("keeps one override when both make the same request", async () => {
    await Promise.all([grant(1), grant(1)]);
    expect(await maxBudget()).toBe(660);
    expect([await notices(), await audited()]).toEqual([["override_granted"], ["override_granted"]]);
  });

  it("keeps one revocation when both revoke the same", async () => {
    await grant(1);
    await Promise.all([revoke(1), revoke(1)]);
    expect(await maxBudget()).toBe(550);
    expect(await notices()).toEqual(["override_ended", "override_granted"]);
    expect(await audited()).toEqual(["override_granted", "override_revoked"]);
  });

  it("applies both when one grants and another revokes", async () => {
    await grant(1);
    await Promise.all([revoke(1), grant(2)]);
    expect(await maxBudget()).toBe(660);
    expect(deps.snapshots.configs.get(acme)).toEqual(await config());
  });

  it("records, audits and announces an end once", async () => {
    await grant(1);
    await Promise.all([endOverrides({ now: NOW + DAY }, deps), endOverrides({ now: NOW + DAY }, deps)]);
    expect(await notices()).toEqual(["override_ended", "override_granted"]);
    expect(await audited()).toEqual(["override_ended", "override_granted"]);
  });

  it("announces a late change once", async () => {
    await grant(1);
    await world.db.query("delete from budget_alert_history");
    const now = NOW + MINUTE;
    await Promise.all([announceChanges({ now }, deps), announceChanges({ now }, deps)]);
    expect(await notices()).toEqual(["override_granted"]);
  });
});
