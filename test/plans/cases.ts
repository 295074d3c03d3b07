// Every query of a list and of the sweep, as the admin API and the sweep's jobs call it; and the queries that find
// their rows by ids, which need no case. A function of a port is in one of the two.

import { postgresAlerts } from "../../src/adapters/postgres/alerts/alerts.ts";
import { postgresPlatformAlerts } from "../../src/adapters/postgres/alerts/platform-alerts.ts";
import { postgresAuditLog } from "../../src/adapters/postgres/audit/audit-log.ts";
import type { Database } from "../../src/adapters/postgres/client.ts";
import { postgresTenantKeys } from "../../src/adapters/postgres/keys/tenant-keys.ts";
import { postgresChannels } from "../../src/adapters/postgres/notices/channels.ts";
import { postgresDeadLetters } from "../../src/adapters/postgres/notices/dead-letters.ts";
import { postgresDeliveries } from "../../src/adapters/postgres/notices/deliveries.ts";
import { postgresOutageNotes } from "../../src/adapters/postgres/outage-notes.ts";
import { postgresReadLeases } from "../../src/adapters/postgres/read-leases.ts";
import { postgresRetention } from "../../src/adapters/postgres/retention.ts";
import { postgresSpendBatches } from "../../src/adapters/postgres/spend-batches.ts";
import { postgresLedgers } from "../../src/adapters/postgres/tenants/ledgers.ts";
import { postgresOverrides } from "../../src/adapters/postgres/tenants/overrides.ts";
import { postgresTenants } from "../../src/adapters/postgres/tenants/tenants.ts";
import type { AlertListQuery } from "../../src/ports/notice-stores.ts";
import type { Age, Purged } from "../../src/ports/retention.ts";
import type { AuditQuery } from "../../src/ports/stores.ts";
import type { AlertId } from "../../src/records/alert.ts";
import type { ChannelId } from "../../src/records/channel.ts";
import type { TenantListQuery } from "../../src/records/tenant.ts";
import { cursorOf, lineCursorOf } from "../../src/wire/page-cursor.ts";
import { DAY, MINUTE, SECOND } from "../budget/builders.ts";
import { aTenantListQuery, idOf } from "../support/builders/builders.ts";

/** The ports on a database, by their names in `Ports`. */
export function portsOn(database: Database) {
  return {
    tenants: postgresTenants(database),
    tenantKeys: postgresTenantKeys(database),
    overrides: postgresOverrides(database),
    spendBatches: postgresSpendBatches(database),
    ledgers: postgresLedgers(database),
    readLeases: postgresReadLeases(database),
    alerts: postgresAlerts(database),
    platformAlerts: postgresPlatformAlerts(database),
    outageNotes: postgresOutageNotes(database),
    deliveries: postgresDeliveries(database),
    channels: postgresChannels(database),
    audit: postgresAuditLog(database),
    deadLetters: postgresDeadLetters(database),
    retention: postgresRetention(database),
  };
}
type FilledPorts = ReturnType<typeof portsOn>;

export interface Case {
  /** The port and its function, and what is asked of it. */
  readonly name: `${keyof FilledPorts}.${string}`;
  /** How many rows the query returns, changes or has to look at by what it does. */
  readonly rows: number;
  readonly run: (ports: FilledPorts, now: number) => Promise<unknown>;
}

const PAGE = 50;
const UUID = "80000000-0000-4000-8000-000000000000";

const list = (name: Case["name"], run: Case["run"]): Case => ({ name, rows: PAGE, run });

const tenantLists: readonly [string, Partial<TenantListQuery>][] = [
  ["by id", {}],
  ["by id, deep", { after: { tenantId: idOf("t70000"), used: 5_000 } }],
  ["by use", { sort: "-used_percent" }],
  ["by use, deep", { sort: "-used_percent", after: { tenantId: idOf("t50000"), used: 5_000 } }],
  ["within a state", { reasons: ["over_grace", "zero_limit", "suspended", "litellm_blocked"] }],
  [
    "within a state by use, deep",
    { ...{ reasons: ["within_budget"], sort: "-used_percent" }, after: { tenantId: idOf("t5"), used: 5_000 } },
  ],
  ["with a rare reason", { reasons: ["subject_missing"], sort: "-used_percent" }],
  ["of deleted ones", { reasons: "deleted" }],
  ["with a name", { search: "Company 5f3a1", sort: "-used_percent" }],
  ["with an id", { search: "t7777" }],
  ["with a text that every tenant has", { search: "company", sort: "-used_percent" }],
];

/** In the middle of a table. */
const deep = (now: number) => cursorOf({ at: now - 100 * DAY, id: UUID });
const t1 = idOf("t1");
const quiet = idOf("t4711");

const deepLine = (now: number) => lineCursorOf({ at: now - 170 * DAY, id: 1_000_000 });

type Asked<Query> = readonly (readonly [string, (now: number) => Partial<Query>])[];

const audits: Asked<AuditQuery> = [
  ["of all", () => ({})],
  ["of all, deep", (now) => ({ before: deepLine(now) })],
  ["of a time", (now) => ({ since: now - 200 * DAY, until: now - 100 * DAY })],
  ["of a tenant, deep", (now) => ({ tenantId: t1, before: deepLine(now) })],
  ["of a tenant and time", (now) => ({ tenantId: t1, until: now - 100 * DAY })],
  ["of a quiet tenant", () => ({ tenantId: quiet })],
  ["of an actor", () => ({ actor: "ops" })],
  ["of an actor, deep", (now) => ({ actor: "ops", before: deepLine(now) })],
  ["of an actor who did nothing", () => ({ actor: "nobody" })],
  ["of an action", () => ({ action: "tenant_suspended" })],
  ["of an action, deep", (now) => ({ action: "tenant_suspended", before: deepLine(now) })],
  ["of an action and time", (now) => ({ action: "tenant_suspended", until: now - 300 * DAY })],
  ["of an action that never was", () => ({ action: "channel_broken" })],
  ["of an actor and action", () => ({ actor: "ops", action: "override_granted" })],
  ["of a tenant and action", () => ({ tenantId: t1, action: "override_granted" })],
];

const alertLists: Asked<AlertListQuery> = [
  ["of all", () => ({})],
  ["of all, deep", (now) => ({ before: deep(now) })],
  ["of a time", (now) => ({ since: now - 200 * DAY, until: now - 100 * DAY })],
  ["of a tenant, deep", (now) => ({ tenantId: t1, before: deep(now) })],
  ["of a quiet tenant", () => ({ tenantId: quiet })],
  ["of an event", () => ({ eventType: "budget_blocked" })],
  ["of an event, deep", (now) => ({ eventType: "budget_blocked", before: deep(now) })],
  ["of an event that never was", () => ({ eventType: "tenant_suspended" })],
];

export const LISTS: readonly Case[] = [
  ...tenantLists.map(([name, query]) =>
    list(`tenants.list ${name}`, ({ tenants }) => tenants.list(aTenantListQuery({ limit: PAGE, ...query }))),
  ),
  ...audits.map(([name, query]) =>
    list(`audit.list ${name}`, ({ audit }, now) =>
      audit.list({ tenantId: null, before: null, limit: PAGE, ...query(now) }),
    ),
  ),
  ...alertLists.map(([name, query]) =>
    list(`alerts.list ${name}`, ({ alerts }, now) =>
      alerts.list({ tenantId: null, before: null, limit: PAGE, ...query(now) }),
    ),
  ),
  // Every fifth alert of the tenant, which has every twentieth of all: Postgres may walk the newest of all.
  {
    name: "alerts.list of a tenant and event",
    rows: PAGE * 5,
    run: ({ alerts }, now) =>
      alerts.list({ tenantId: t1, eventType: "budget_blocked", before: deep(now), limit: PAGE }),
  },
  list("overrides.list", ({ overrides }) => overrides.list({ tenantId: t1, before: null, limit: PAGE })),
  list("overrides.list of a time", ({ overrides }, now) =>
    overrides.list({ tenantId: t1, before: null, limit: PAGE, until: now - 20 * DAY }),
  ),
  list("overrides.list of a quiet tenant", ({ overrides }) =>
    overrides.list({ tenantId: quiet, before: null, limit: PAGE }),
  ),
  list("channels.list", ({ channels }) => channels.list({ tenantId: null, before: null, limit: PAGE })),
  list("channels.list, deep", ({ channels }, now) =>
    channels.list({ tenantId: null, before: cursorOf({ at: now - 5 * DAY, id: UUID }), limit: PAGE }),
  ),
  list("channels.list of a tenant", ({ channels }) => channels.list({ tenantId: t1, before: null, limit: PAGE })),
  list("deadLetters.list", ({ deadLetters }) => deadLetters.list({ before: null, limit: PAGE })),
  list("deadLetters.list of a time", ({ deadLetters }, now) =>
    deadLetters.list({ before: null, limit: PAGE, until: now - 5 * DAY }),
  ),
  list("deadLetters.list, deep", ({ deadLetters }, now) =>
    deadLetters.list({ before: cursorOf({ at: now - 5 * DAY, id: UUID }), limit: PAGE }),
  ),
];

const HOUR = 60 * MINUTE;
const aDelivery = { alertId: "" as AlertId, channelId: "" as ChannelId };

/** Ages at which the filled tables have rows. */
const purges: readonly (readonly [Purged, (now: number) => Age, limit: number])[] = [
  ["audit_lines", (now) => ({ from: null, before: now - 300 * DAY }), 1_000],
  ["alerts", (now) => ({ from: now - 271 * DAY, before: now - 270 * DAY }), 1_000],
  ["platform_alerts", (now) => ({ from: null, before: now - 200 * DAY }), 1_000],
  ["deliveries", (now) => ({ from: null, before: now }), 1_000],
  ["dead_letters", (now) => ({ from: null, before: now - 10 * DAY }), 1_000],
  ["counted_webhooks", (now) => ({ from: null, before: now - 2 * HOUR }), 20_000],
  ["deleted_tenants", (now) => ({ from: null, before: now }), 10],
];

/**
 * With the limits of the sweep's flows, and no smaller number of rows than they find at 100,000 tenants; or with `most`
 * where that is less.
 */
export function sweepCases(most = Number.POSITIVE_INFINITY): readonly Case[] {
  const upTo = (limit: number) => Math.min(limit, most);
  return [
    {
      name: "tenants.claimPendingSyncs",
      rows: 100,
      run: ({ tenants }, now) => tenants.claimPendingSyncs(upTo(100), now),
    },
    {
      name: "tenants.claimEndedPeriods",
      rows: 1_000,
      run: ({ tenants }, now) => tenants.claimEndedPeriods(upTo(1_000), now),
    },
    { name: "overrides.recordEnds", rows: 100, run: ({ overrides }, now) => overrides.recordEnds(upTo(100), now) },
    {
      name: "overrides.listEnding",
      rows: 100,
      run: ({ overrides }, now) => overrides.listEnding({ after: now, until: now + 90 * SECOND }, upTo(1_000)),
    },
    { name: "tenantKeys.listEnded", rows: 100, run: ({ tenantKeys }, now) => tenantKeys.listEnded(upTo(100), now) },
    {
      name: "alerts.listUnannounced",
      rows: 1_000,
      run: ({ alerts }, now) => alerts.listUnannounced({ since: now - 3 * DAY, until: now - 30 * SECOND }, upTo(100)),
    },
    {
      name: "deliveries.claimOverdue",
      rows: 100,
      run: ({ deliveries }, now) => deliveries.claimOverdue(now, upTo(100), now),
    },
    { name: "deliveries.gatherDigests", rows: 1_000, run: ({ deliveries }, now) => deliveries.gatherDigests(now) },
    {
      name: "readLeases.take",
      rows: 1_700,
      run: ({ readLeases }, now) =>
        readLeases.take({ readBefore: now - 45 * MINUTE, until: now + HOUR, limit: upTo(1_700), now }),
    },
    {
      name: "ledgers.forgetCalls",
      rows: 10_000,
      run: ({ ledgers }, now) => ledgers.forgetCalls(now - 2 * HOUR, upTo(10_000)),
    },
    {
      name: "platformAlerts.evaluate",
      rows: 500,
      run: ({ platformAlerts }, now) =>
        platformAlerts.evaluate({
          lettersSince: now - HOUR,
          pendingBefore: now - 15 * MINUTE,
          readBefore: now - 2 * HOUR,
          unreadBefore: now - 2 * HOUR,
        }),
    },
    {
      name: "platformAlerts.record",
      rows: 100,
      run: ({ platformAlerts }, now) => platformAlerts.record([], { remindBefore: now - DAY, now }),
    },
    ...purges.map(([what, age, limit]) => ({
      name: `retention.purge ${what}` as const,
      rows: limit,
      run: ({ retention }: FilledPorts, now: number) => retention.purge(what, age(now), upTo(limit)),
    })),
  ];
}

export const SWEEPS = sweepCases();

/** Each attempt of a notice asks whether it is superseded: as often as a list, and by more than its ids. */
export function attempts(key: typeof aDelivery, nextAttemptAt: number): Case {
  return {
    name: "deliveries.begin",
    rows: PAGE,
    run: ({ deliveries }, now) => deliveries.begin(key, { nextAttemptAt, now }),
  };
}

/** Find, change or insert rows by their ids. */
export const BY_IDS: Readonly<Record<keyof FilledPorts, readonly string[]>> = {
  tenants: [
    ...["load", "loadEvenDeleted", "findByKey", "findBySubject", "create", "replaceUnshownKey", "change"],
    ...[
      "setSuspended",
      "markDeleted",
      "recordRelease",
      "restore",
      "remove",
      "recordSync",
      "recordPriorValues",
      "noteBlock",
      "noteMark",
    ],
    ...["resetPeriod", "noteSubject", "ping"],
  ],
  tenantKeys: ["add", "replace", "find", "end", "endGone", "noteBlocked", "carry", "forget"],
  overrides: ["grant", "load", "revoke"],
  spendBatches: ["load", "count"],
  ledgers: ["load", "save"],
  readLeases: ["move"],
  alerts: ["record"],
  platformAlerts: [],
  outageNotes: ["load", "save"],
  deliveries: ["load", "end", "recordRejection", "postpone", "revive"],
  channels: ["load", "create", "change", "noteSent", "remove"],
  audit: [],
  deadLetters: ["record", "load", "markReplayed"],
  retention: [],
};
