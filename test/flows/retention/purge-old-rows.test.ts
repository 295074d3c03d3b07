// What the sweep deletes by age: how old each kind must be, and how much of it one sweep takes.

import { beforeEach, expect, it } from "vitest";
import { purgeOldRows } from "../../../src/flows/retention/purge-old-rows.ts";
import type { Age, Purged } from "../../../src/ports/retention.ts";
import { DAY, MINUTE, NOW } from "../../budget/builders.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";

const HOUR = 60 * MINUTE;
const ALL: readonly Purged[] = [
  ...["audit_lines", "alerts", "platform_alerts", "deliveries", "dead_letters", "counted_webhooks", "deleted_tenants"],
] as Purged[];

/** Rows by kind, as the instants that their age is counted from. */
let rows: Map<Purged, number[]>;
let calls: { what: Purged; age: Age; limit: number }[];
let log: RecordedLog;
let broken: Purged | null;
const retention = {
  async purge(what: Purged, age: Age, limit: number) {
    calls.push({ what, age, limit });
    if (what === broken) throw new Error("down");
    const of = rows.get(what) ?? [];
    const due = of.filter((at) => at < age.before && (age.from === null || at >= age.from)).slice(0, limit);
    for (const at of due) of.splice(of.indexOf(at), 1);
    return due.length;
  },
};
beforeEach(() => {
  rows = new Map();
  calls = [];
  log = new RecordedLog();
  broken = null;
});

const purge = (now = NOW) => purgeOldRows({ now }, { retention, log });

it.each<[Purged, number]>([
  ["audit_lines", 400 * DAY],
  ["alerts", 400 * DAY],
  ["platform_alerts", 400 * DAY],
  ["deliveries", 90 * DAY],
  ["dead_letters", 90 * DAY],
  ["counted_webhooks", 2 * HOUR],
  ["deleted_tenants", 90 * DAY],
])("deletes %s once they are older than %d ms", async (what, keepMs) => {
  rows.set(what, [NOW - keepMs - 1, NOW - keepMs, NOW]);
  await purge();
  expect(rows.get(what)).toEqual([NOW - keepMs, NOW]);
  expect(log.lines).toEqual([`info old rows purged {"${what}":1}`]);
});

it("logs nothing when there is nothing to delete", async () => {
  await purge();
  expect(log.lines).toEqual([]);
  expect(new Set(calls.map(({ what }) => what))).toEqual(new Set(ALL));
});

it("bounds a sweep, and the sweeps after it delete the rest", async () => {
  rows.set("audit_lines", new Array(12_000).fill(NOW - 401 * DAY));
  rows.set("deleted_tenants", new Array(120).fill(NOW - 91 * DAY));
  await purge();
  expect([rows.get("audit_lines")?.length, rows.get("deleted_tenants")?.length]).toEqual([7_000, 70]);
  for (let minute = 1; minute <= 2; minute++) await purge(NOW + minute * MINUTE);
  expect([rows.get("audit_lines"), rows.get("deleted_tenants")?.length]).toEqual([[], 0]);
});

it("finds an old alert whose period ended late, without reading every older one in each sweep", async () => {
  const late = NOW - 450 * DAY - HOUR;
  rows.set("alerts", [late]);
  await purge();
  const looked = calls.filter(({ what }) => what === "alerts").map(({ age }) => age.before - (age.from ?? 0));
  expect(looked).toEqual([DAY, DAY]);
  for (let minute = 1; minute < 4_000 && rows.get("alerts")?.length === 1; minute++) await purge(NOW + minute * MINUTE);
  expect(rows.get("alerts")).toEqual([]);
});

it("goes on with the other kinds when one cannot be deleted", async () => {
  rows.set("deleted_tenants", [NOW - 91 * DAY]);
  broken = "audit_lines";
  await purge();
  expect(rows.get("deleted_tenants")).toEqual([]);
  expect(log.lines).toEqual([
    'error purge failed {"rows":"audit_lines"} Error: down',
    'info old rows purged {"deleted_tenants":1}',
  ]);
});
