// How Postgres answers every list and every query of the sweep at 100,000 tenants: by an index, without reading or
// sorting a table. Needs a real Postgres, because PGlite would take minutes to fill.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AlertId } from "../../src/records/alert.ts";
import type { ChannelId } from "../../src/records/channel.ts";
import { attempts, BY_IDS, type Case, LISTS, portsOn, SWEEPS } from "./cases.ts";
import { type FilledDatabase, fillDatabase } from "./filled-database.ts";
import { faultsOf, type PlanRecorder, startRecorder } from "./recorded-plans.ts";

const serverUrl = process.env["TEST_DATABASE_URL"];

/** A table with more rows than this is never read whole. */
const BIG = 5_000;

/** Rows that a query may look at: joins read several per row, and an index may point at rows that a filter drops. */
const perRow = 20;
const BASE = 1_000;

const FILL_MS = 300_000;

describe.skipIf(serverUrl === undefined)("queries at 100,000 tenants", () => {
  let filled: FilledDatabase;
  let recorder: PlanRecorder;
  let bigTables: ReadonlySet<string>;

  beforeAll(async () => {
    filled = await fillDatabase(serverUrl ?? "");
    recorder = await startRecorder(filled.client, filled.databaseUrl);
    const { rows } = await filled.client.query<{ relname: string }>(
      "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and reltuples > $1",
      [BIG],
    );
    bigTables = new Set(rows.map(({ relname }) => relname));
  }, FILL_MS);

  afterAll(async () => {
    await recorder?.stop();
    await filled?.stop();
  });

  async function faultsIn({ rows, run }: Case): Promise<string[]> {
    const plans = await recorder.plansOf(() => run(portsOn(recorder.database), Date.now()));
    expect(plans.length).toBeGreaterThan(0);
    return plans.flatMap((plan) => faultsOf(plan, bigTables, rows * perRow + BASE));
  }

  it("fills the tables that grow", () => {
    const growing = ["tenant_configs", "tenant_keys", "tenant_spend", "tenant_states", "audit_log", "counted_calls"];
    const ofNotices = ["budget_alert_history", "notice_deliveries", "notification_channels", "dead_letters"];
    expect([...bigTables].sort()).toEqual([...growing, ...ofNotices, "budget_overrides", "counted_webhooks"].sort());
  });

  it.each(LISTS)("answers $name by an index, in order", async (each) => {
    expect(await faultsIn(each)).toEqual([]);
  });

  it.each(SWEEPS)("finds the rows of $name by an index", async (each) => {
    expect(await faultsIn(each)).toEqual([]);
  });

  it.each(["budget_crossed", "budget_resolved"])("judges the attempt at a %s by an index", async (eventType) => {
    const { rows } = await filled.client.query<{ alert_id: AlertId; channel_id: ChannelId; at: Date }>(
      `update notice_deliveries d set status = 'pending', next_attempt_at = date_trunc('milliseconds', now())
       where (alert_id, channel_id) = (select d.alert_id, d.channel_id from budget_alert_history a
         join notice_deliveries d on d.alert_id = a.id
         where a.tenant_id = 't1' and a.event_type = $1 order by a.created_at desc limit 1)
       returning alert_id, channel_id, next_attempt_at as at`,
      [eventType],
    );
    const [key] = rows;
    if (key === undefined) throw new Error("no such alert");
    const { alert_id: alertId, channel_id: channelId } = key;
    expect(await faultsIn(attempts({ alertId, channelId }, key.at.getTime()))).toEqual([]);
  });

  it("has a case for each function of a port that does not go by ids", () => {
    const inCases = new Set([...LISTS, ...SWEEPS].map(({ name }) => name.split(/[ ,]/)[0]).concat("deliveries.begin"));
    const ports = portsOn(recorder.database);
    const names = Object.entries(ports).flatMap(([port, verbs]) => Object.keys(verbs).map((verb) => `${port}.${verb}`));
    const byIds = Object.entries(BY_IDS).flatMap(([port, verbs]) => verbs.map((verb) => `${port}.${verb}`));
    expect([...inCases, ...byIds].sort()).toEqual(names.sort());
  });

  it("knows every port that deps.ts opens on Postgres", () => {
    const deps = readFileSync(new URL("../../src/deps.ts", import.meta.url), "utf8");
    const opened = [...deps.matchAll(/(\w+): postgres\w+\(database\)/g)].map(([, port]) => port);
    expect(opened.sort()).toEqual(Object.keys(portsOn(recorder.database)).sort());
  });
});
