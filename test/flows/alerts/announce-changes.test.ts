// Unannounced changes: the sweep finds them by level and announces each once.

import { beforeEach, describe, expect, it } from "vitest";
import { announceChanges } from "../../../src/flows/alerts/announce-changes.ts";
import { resumeTenant, suspendTenant } from "../../../src/flows/tenants/suspend-tenant.ts";
import { DAY, MINUTE, NOW } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { useSpendWorld } from "../../support/worlds/spend-world.ts";

const { world, deps, alerts, notices } = useSpendWorld();

const AT = NOW + MINUTE;
beforeEach(() => {
  world.now = AT;
});

const details = async () =>
  (await world.db.query<{ detail: Record<string, unknown> }>("select detail from budget_alert_history")).map(
    ({ detail }) => detail,
  );

describe("late announcements", () => {
  const suspended = (at: number, tenantId = "acme") =>
    world.db.query(
      `insert into audit_log (at, actor, action, tenant_id) values ($1, 'alice', 'tenant_suspended', $2)`,
      [new Date(at), tenantId],
    );

  it("announces a suspension without an alert, once even when two sweeps overlap", async () => {
    await suspended(AT);
    const now = AT + MINUTE;
    await Promise.all([announceChanges({ now }, deps), announceChanges({ now }, deps)]);
    await announceChanges({ now: now + MINUTE }, deps);
    expect(await notices()).toEqual(["tenant_suspended"]);
    expect(await details()).toEqual([{ audit_id: expect.any(Number) }]);
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("records silently a suspension that was resumed meanwhile", async () => {
    const switches = { tenantId: idOf("acme"), actor: anActor({ now: AT }) };
    const { record } = deps.alerts;
    deps.alerts.record = () => Promise.reject(new Error("pg down"));
    await suspendTenant(switches, deps);
    deps.alerts.record = record;
    await resumeTenant(switches, deps);
    expect(await notices()).toEqual(["tenant_resumed"]);
    await announceChanges({ now: AT + MINUTE }, deps);
    expect(await notices()).toEqual(["tenant_resumed"]);
    expect(await alerts()).toMatchObject([{ silent: false }, { event_type: "tenant_suspended", silent: true }]);
    expect(deps.noticeQueue.sent).toHaveLength(2);
  });

  it("skips changes in progress, old changes, and changes of an earlier tenant", async () => {
    await suspended(AT - 29_999);
    await suspended(AT - 3 * DAY - 1);
    await suspended(AT - MINUTE, "nobody");
    await world.db.query("update tenant_configs set created_at = $1", [new Date(AT - 10 * DAY)]);
    await announceChanges({ now: AT }, deps);
    expect(await alerts()).toEqual([]);
    await world.db.query("update tenant_configs set created_at = $1", [new Date(AT - 29_998)]);
    await announceChanges({ now: AT + MINUTE }, deps);
    expect(await alerts()).toEqual([]);
  });

  it("goes on with the next change when one fails", async () => {
    await suspended(AT);
    await suspended(AT + 1);
    const { record } = deps.alerts;
    let failures = 1;
    deps.alerts.record = async (entry) => {
      if (failures-- > 0) throw new Error("pg down");
      return record(entry);
    };
    await announceChanges({ now: AT + MINUTE }, deps);
    expect(await notices()).toEqual(["tenant_suspended"]);
    expect(deps.log.lines).toContain(
      'error change announcement failed {"tenant_id":"acme","event_type":"tenant_suspended"} Error: pg down',
    );
    await announceChanges({ now: AT + 2 * MINUTE }, deps);
    expect(await notices()).toEqual(["tenant_suspended", "tenant_suspended"]);
  });
});
