// The sweep: every job runs each minute, whatever happens to the others.

import { beforeEach, expect, it } from "vitest";
import { sweep } from "../../src/cron/sweep.ts";
import type { Ports } from "../../src/ports/ports.ts";
import type { PlatformCondition } from "../../src/records/platform-alert.ts";
import { MINUTE, NOW } from "../budget/builders.ts";
import { aDispatch } from "../support/builders/notice-builders.ts";
import { plainCipher } from "../support/builders/plain-cipher.ts";
import { FakeDeliveries } from "../support/fakes/fake-deliveries.ts";
import { AWAY } from "../support/fakes/fake-litellm.ts";
import { FakeNoticeQueue } from "../support/fakes/fake-notice-queue.ts";
import { unusedPort, unusedPorts } from "../support/faults/unused-port.ts";
import { ACME, CheckWorld } from "../support/worlds/check-world.ts";

const BEGAN = NOW - MINUTE;

let world: CheckWorld;
let lastEvaluation: number;
let claims: number;
let purges: number;
let judged: string[];
let deliveries: FakeDeliveries;
let noticeQueue: FakeNoticeQueue;
beforeEach(() => {
  deliveries = new FakeDeliveries();
  deliveries.has(aDispatch({ delivery: { nextAttemptAt: NOW - 11 * MINUTE } }));
  noticeQueue = new FakeNoticeQueue();
  world = new CheckWorld();
  // The second ping in a row that fails begins the outage.
  world.litellm.pingFailure = AWAY;
  world.kv.note = { startedAt: null, pings: [{ at: BEGAN, hasAnswered: false }] };
  lastEvaluation = 0;
  claims = 0;
  purges = 0;
  judged = [];
});

/** Counts the reads of Postgres: two by end-overrides, one each by sync-pending and announce-changes. */
function ports(claimPendingSyncs: () => Promise<[]>): Ports {
  const claimEndedPeriods = async () => {
    claims++;
    return [];
  };
  const tenants = Object.assign(world.postgres, { claimPendingSyncs, claimEndedPeriods });
  const overrides = { ...unusedPort<Ports["overrides"]>("overrides"), recordEnds: found, listEnding: found };
  const alerts = { ...unusedPort<Ports["alerts"]>("alerts"), listUnannounced: found };
  const readLeases = { take: async () => [ACME], move: async () => [] };
  const platformAlerts = {
    evaluate: async () => ({
      deadLetters: null,
      pendingSyncs: null,
      missingSubjects: null,
      unreadTenants: null,
      silence: null,
    }),
    record: async (conditions: readonly PlatformCondition[]) => {
      judged.push(...conditions.map(({ kind }) => kind));
      return { alerts: [], deliveries: [] };
    },
  };
  const ledgers = { ...unusedPort<Ports["ledgers"]>("ledgers"), forgetCalls: async () => (await found()).length };
  const tenantKeys = { ...unusedPort<Ports["tenantKeys"]>("tenantKeys"), listEnded: async () => [] };
  const retention = {
    purge: async () => {
      purges++;
      return 0;
    },
  };
  const stores = { tenants, retention, tenantKeys, ledgers, overrides, alerts, deliveries, readLeases, platformAlerts };
  return { ...unusedPorts(), ...world.deps(), ...stores, cipher: plainCipher, noticeQueue };
}

const found = async (): Promise<[]> => {
  lastEvaluation++;
  return [];
};

it("runs every job", async () => {
  await sweep({ now: NOW }, ports(found));
  expect([lastEvaluation, world.kv.outage, noticeQueue.sent.length]).toEqual([5, BEGAN, 1]);
  expect(claims).toBe(1);
  expect(purges).toBeGreaterThan(0);
  expect(world.queue.sent).toMatchObject([{ message: { kind: "reconcile", tenant_ids: [ACME] } }]);
  expect(judged).toEqual([
    "dead_letter",
    "sync_pending",
    "subject_missing",
    "tenants_unread",
    "litellm_silent",
    "litellm_out",
  ]);
  expect(world.log.lines).not.toContainEqual(expect.stringContaining("sweep job failed"));
});

it("syncs tenants when the outage note fails", async () => {
  for (const verb of ["outageNote", "writeOutage"] as const) world.snapshots.trouble(verb, new Error("down"));
  world.outageNotes.trouble("load", new Error("down"));
  await sweep({ now: NOW }, ports(found));
  expect(lastEvaluation).toBe(5);
  expect(world.log.lines).toContain(
    'error sweep job failed {"job":"note-outage"} Error: the outage note cannot be read',
  );
});

it("notes the outage when the syncs fail", async () => {
  await sweep(
    { now: NOW },
    ports(() => Promise.reject(new Error("pg down"))),
  );
  expect(world.kv.outage).toBe(BEGAN);
  expect(world.log.lines).toContain('error sweep job failed {"job":"sync-pending"} Error: pg down');
});

it("syncs and notes the outage when the notice queue refuses", async () => {
  noticeQueue.isAway = true;
  await sweep({ now: NOW }, ports(found));
  expect([lastEvaluation, world.kv.outage]).toEqual([5, BEGAN]);
  expect(world.log.lines).toContain('error sweep job failed {"job":"requeue-deliveries"} Outage: queue: away');
});

it("two overlapping sweeps end in the same state as one sweep", async () => {
  await Promise.all([sweep({ now: NOW }, ports(found)), sweep({ now: NOW }, ports(found))]);
  expect(world.kv.outage).toBe(BEGAN);
  expect(noticeQueue.sent).toHaveLength(1);
});
