// Recording alerts: each once, with its deliveries and audit line, or not at all.

import { describe, expect, it } from "vitest";
import { postgresAlerts } from "../../../src/adapters/postgres/alerts/alerts.ts";
import { postgresSpendBatches } from "../../../src/adapters/postgres/spend-batches.ts";
import type { AlertDraft } from "../../../src/budget/alert.ts";
import { alertIdentity, type ThresholdEventType } from "../../../src/budget/alert.ts";
import type { AlertBasis, AlertEntry } from "../../../src/records/alert.ts";
import type { TenantRecord } from "../../../src/records/tenant.ts";
import { aLedger, DAY, NOW, PERIOD_START, RESET, usd } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { auditLog, useTenants } from "../../support/servers/tenant-database.ts";

const acme = idOf("acme");
const evaluation = { limitVersion: 1, periodStartedAt: PERIOD_START };

function aDraft(eventType: ThresholdEventType, differences: Partial<AlertDraft> = {}): AlertDraft {
  const threshold = { threshold_crossed: 8_000n, budget_crossed: 10_000n, budget_blocked: 11_000n }[eventType];
  const key = { tenantId: acme, eventType, threshold, occurrence: 0, ...evaluation };
  return {
    identity: alertIdentity(key),
    eventType,
    threshold,
    spendNanoUsd: usd("550.000000001"),
    maxBudgetNanoUsd: usd("500"),
    limitNanoUsd: usd("500"),
    used: 11_000n,
    periodStartedAt: PERIOD_START,
    resetsAt: RESET,
    limitVersion: 1,
    occurrence: 0,
    repetition: 0,
    isSilent: false,
    detail: null,
    ...differences,
  };
}

/** The state of acme, as the test created it. */
let basis: AlertBasis;

const basisOf = ({ config, spend }: TenantRecord): AlertBasis => ({
  revision: config.revision,
  spendNanoUsd: spend?.spendNanoUsd ?? null,
});

const entry = (drafts: readonly AlertDraft[], differences: Partial<AlertEntry> = {}): AlertEntry => ({
  tenantId: acme,
  lastEvaluation: null,
  evaluation,
  drafts,
  basis,
  now: NOW,
  ...differences,
});

describe.each(postgresBackends)("alerts on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const alerts = postgresAlerts(() => db.database());
  const spendBatches = postgresSpendBatches(() => db.database());
  const history = async () =>
    (await spendBatches.load([{ kind: "tenant", id: acme }], { withPending: true }))[0]?.history ?? null;
  const storedAlerts = () => db.query("select * from budget_alert_history order by threshold");
  const withChannels = () =>
    db.query(`insert into notification_channels (id, tenant_id, kind, name, sealed_target, enabled) values
      ('11111111-1111-4111-8111-111111111111', 'acme', 'slack', 'ours', 's', true),
      ('22222222-2222-4222-8222-222222222222', null, 'email', 'platform', 's', true),
      ('33333333-3333-4333-8333-333333333333', null, 'email', 'off', 's', false),
      ('44444444-4444-4444-8444-444444444444', 'globex', 'slack', 'theirs', 's', true)`);
  const begin = async () => {
    basis = basisOf(await create({ spend: aLedger() }));
    const other = await create({ tenantId: idOf("globex"), subject: { kind: "team", id: "globex" } });
    await withChannels();
    return { ofGlobex: basisOf(other) };
  };

  it("orders alerts by evaluation, even at one instant or by a slow clock", async () => {
    const { ofGlobex } = await begin();
    const globex = { tenantId: idOf("globex"), basis: ofGlobex, now: NOW + DAY };
    await alerts.record(entry([aDraft("budget_blocked", { identity: "of globex" })], globex));
    await alerts.record(entry([aDraft("threshold_crossed")]));
    await alerts.record(entry([aDraft("budget_crossed")], { lastEvaluation: evaluation }));
    await alerts.record(entry([aDraft("budget_blocked")], { lastEvaluation: evaluation, now: NOW - DAY }));
    const rows = await db.query<{ event_type: string; at: number }>(
      `select event_type, extract(epoch from created_at) * 1000 - ${NOW} as at from budget_alert_history
        where tenant_id = 'acme' order by created_at`,
    );
    expect(rows.map(({ event_type: event, at }) => [event, Number(at)])).toEqual([
      ["threshold_crossed", 0],
      ["budget_crossed", 1],
      ["budget_blocked", 2],
    ]);
  });

  it("stores alerts exactly as given", async () => {
    await begin();
    const detail = { projected_spend: "700.5", projected_exceeded_date: null };
    await alerts.record(entry([aDraft("budget_blocked", { detail, used: 11_001n })]));
    const [row] = await storedAlerts();
    expect(row).toMatchObject({
      spend: "550.000000001",
      limit_amount: "500.000000000",
      percentage: "110.01",
      threshold: "110.00",
      detail,
      silent: false,
      created_at: new Date(NOW),
      resets_at: new Date(RESET),
    });
    expect((await history())?.lastEvaluation).toEqual(evaluation);
  });

  it("creates deliveries for each enabled channel of tenant and platform, and none for silent alerts", async () => {
    await begin();
    const recorded = await alerts.record(
      entry([aDraft("threshold_crossed", { isSilent: true }), aDraft("budget_crossed")]),
    );
    expect(recorded?.announced).toBe(1);
    expect(recorded?.deliveries.map(({ channelId }) => channelId[0]).sort()).toEqual(["1", "2"]);
    expect(await db.query("select distinct status, attempts, next_attempt_at from notice_deliveries")).toEqual([
      { status: "pending", attempts: 0, next_attempt_at: new Date(NOW) },
    ]);
  });

  it("audits each alert in the same step", async () => {
    await begin();
    await alerts.record(entry([aDraft("budget_crossed")]));
    const lines = (await auditLog(db)).filter(({ action }) => action === "alert_recorded");
    expect(lines).toMatchObject([{ actor: "bursar", detail: { event_type: "budget_crossed", silent: false } }]);
  });

  it("skips an existing alert without new deliveries", async () => {
    await begin();
    await alerts.record(entry([aDraft("budget_crossed")]));
    const again = entry([aDraft("budget_crossed"), aDraft("budget_blocked")], { lastEvaluation: evaluation });
    const recorded = await alerts.record(again);
    expect(recorded?.announced).toBe(1);
    expect(await storedAlerts()).toHaveLength(2);
  });

  it("records nothing from an outdated evaluation", async () => {
    await begin();
    await alerts.record(entry([]));
    expect(await alerts.record(entry([aDraft("budget_crossed")]))).toBeNull();
    expect(await storedAlerts()).toEqual([]);
  });

  it("records nothing that was computed from a config before the last change", async () => {
    await begin();
    await tenants.change(acme, { maxBudgetNanoUsd: usd("1000") }, anActor());
    expect(await alerts.record(entry([aDraft("budget_blocked")]))).toBeNull();
    expect(await storedAlerts()).toEqual([]);
  });

  it("records no end of a block whose spend has risen meanwhile, and no crossing of spend that has fallen", async () => {
    await begin();
    const spent = (spend: string) => ({ basis: { ...basis, spendNanoUsd: usd(spend) } });
    await db.query("update tenant_spend set spend = 560 where tenant_id = 'acme'");
    const end = {
      ...aDraft("budget_blocked"),
      eventType: "budget_resolved",
      identity: "end",
      threshold: null,
    } as const;
    expect(await alerts.record(entry([end], spent("90")))).toBeNull();
    expect(await alerts.record(entry([aDraft("budget_blocked")], spent("570")))).toBeNull();
    expect(await alerts.record(entry([aDraft("threshold_crossed"), end], spent("550")))).toBeNull();
    expect(await storedAlerts()).toEqual([]);
    expect(await alerts.record(entry([aDraft("budget_blocked")], spent("555")))).not.toBeNull();
    const ended = entry([end], { ...spent("570"), lastEvaluation: evaluation });
    expect(await alerts.record(ended)).not.toBeNull();
  });

  it("records and delivers an alert once for ten concurrent consumers", async () => {
    await begin();
    const all = await Promise.all(Array.from({ length: 10 }, () => alerts.record(entry([aDraft("budget_blocked")]))));
    expect(all.filter((each) => each !== null)).toHaveLength(1);
    expect(await storedAlerts()).toHaveLength(1);
    expect(await db.query("select * from notice_deliveries")).toHaveLength(2);
  });

  it("records nothing for a tenant deleted meanwhile", async () => {
    await begin();
    await tenants.markDeleted(acme, anActor());
    expect(await alerts.record(entry([aDraft("budget_blocked")]))).toBeNull();
    expect(await storedAlerts()).toEqual([]);
  });

  describe("changes", () => {
    const change = (differences: Partial<AlertEntry> = {}) => {
      const identity = alertIdentity({ eventType: "override_granted", tenantId: acme, overrideId: "o1" });
      const draft = { ...aDraft("budget_blocked"), eventType: "override_granted", identity, threshold: null } as const;
      return entry([draft], { evaluation: null, ...differences });
    };

    it("records a change without an evaluation, even without any spend", async () => {
      basis = basisOf(await create());
      expect(await alerts.record(change())).toEqual({ announced: 1, deliveries: [] });
      await db.empty();
      await begin();
      await alerts.record(entry([], { lastEvaluation: null }));
      expect((await alerts.record(change()))?.deliveries).toHaveLength(2);
      expect((await history())?.lastEvaluation).toEqual(evaluation);
    });

    it("records and delivers a change once for ten concurrent flows", async () => {
      await begin();
      const all = await Promise.all(Array.from({ length: 10 }, () => alerts.record(change())));
      expect(all.map((each) => each?.announced).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
      expect(await db.query("select * from notice_deliveries")).toHaveLength(2);
    });

    it("records no change with the limit or the spend of before", async () => {
      await begin();
      expect(await alerts.record(change({ basis: { ...basis, spendNanoUsd: null } }))).toBeNull();
      expect(await alerts.record(change({ basis: { ...basis, revision: basis.revision - 1 } }))).toBeNull();
      expect(await storedAlerts()).toEqual([]);
    });

    it("records no change of a missing or deleted tenant", async () => {
      basis = { revision: 1, spendNanoUsd: null };
      expect(await alerts.record(change())).toBeNull();
      await begin();
      await tenants.markDeleted(acme, anActor());
      expect(await alerts.record(change())).toBeNull();
      expect(await storedAlerts()).toEqual([]);
    });
  });

  it("records a change on a limit of a nano-dollar", async () => {
    await begin();
    const used = 10n ** 27n;
    await alerts.record(entry([aDraft("budget_blocked", { used, limitNanoUsd: 1n })]));
    expect((await storedAlerts())[0]).toMatchObject({ percentage: "10000000000000000000000000.00" });
  });
});
