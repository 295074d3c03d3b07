// Platform alerts: one notice per problem while it lasts, and none because something is idle or cannot be read. On a
// real Postgres.

import { beforeEach, describe, expect, it } from "vitest";
import { alertPlatform } from "../../../src/flows/alerts/alert-platform.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { DAY, MINUTE, NOW } from "../../budget/builders.ts";
import { insertChannel } from "../../support/builders/alert-rows.ts";
import { uuidOf } from "../../support/builders/notice-builders.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const HOUR = 60 * MINUTE;
const { world, deps } = useAdminWorld();

beforeEach(async () => {
  await world.db.query("truncate dead_letters");
  await insertChannel(world.db, { id: uuidOf(1) });
});

const kinds = async () =>
  (await world.db.query<{ kind: string }>("select kind from platform_alerts order by created_at, kind")).map(
    ({ kind }) => kind,
  );
const details = async () =>
  (await world.db.query<{ detail: object }>("select detail from platform_alerts order by created_at")).map(
    ({ detail }) => detail,
  );

/** As the sweep notes it, in both stores. */
async function noteOutage(startedAt: number | null): Promise<void> {
  deps.snapshots.outage = startedAt;
  await deps.outageNotes.save(deps.snapshots.note);
}

/** Runs the job the given minutes after NOW. */
const at = (minutes: number) => alertPlatform({ now: NOW + minutes * MINUTE }, deps);

describe("LiteLLM outage", () => {
  it("alerts as soon as the outage is noted, and shows until when open policies stay open", async () => {
    await noteOutage(null);
    await at(0);
    expect(await kinds()).toEqual([]);
    await noteOutage(NOW);
    await at(1);
    await at(2);
    expect(await details()).toEqual([
      { since: new Date(NOW).toISOString(), open_until: new Date(NOW + HOUR).toISOString() },
    ]);
    expect(deps.noticeQueue.sent).toMatchObject([{ kind: "notice", channel_id: uuidOf(1) }]);
    expect(deps.log.lines).toContainEqual(expect.stringMatching(/^error platform alert .*"kind":"litellm_out"/));
  });

  it("shows no end of the open policy where it never closes", async () => {
    await noteOutage(NOW);
    deps.policy = { ...deps.policy, failOpenMinutes: 0 };
    await at(5);
    expect(await details()).toMatchObject([{ open_until: null }]);
  });

  it("alerts again when an outage ends and begins again", async () => {
    for (const [minutes, outage] of [
      [1, NOW],
      [2, null],
      [9, NOW + 5 * MINUTE],
    ] as const) {
      await noteOutage(outage);
      await at(minutes);
    }
    expect(await kinds()).toEqual(["litellm_out", "litellm_out"]);
  });

  it("goes by the copy in Postgres when KV cannot be read", async () => {
    await noteOutage(NOW);
    await at(1);
    deps.snapshots.isAway = true;
    await world.db.query(`insert into dead_letters (id, queue, message_id, body, recorded_at)
      values (gen_random_uuid(), 'bursar-spend', 'm', '{}', to_timestamp(${NOW / 1_000}))`);
    await at(2);
    deps.snapshots.isAway = false;
    await at(3);
    expect(await kinds()).toEqual(["litellm_out", "dead_letter"]);
    expect(deps.log.lines).toContainEqual(expect.stringMatching(/^error kv outage read failed.*kv: away/));
  });
});

describe("a key or team that LiteLLM does not have", () => {
  it("causes one alert a day, with the number of tenants and the one that has waited longest", async () => {
    await createTenant(ownKeyInput(), deps);
    await world.db.query("update tenant_configs set subject_missing_at = $1", [new Date(NOW)]);
    for (const minutes of [0, 1, 24 * 60 - 1, 24 * 60]) await at(minutes);
    const detail = { tenants: 1, tenant_id: "acme", since: new Date(NOW).toISOString() };
    const alerts = await world.db.query("select detail from platform_alerts where kind = 'subject_missing'");
    expect(alerts).toEqual([{ detail }, { detail }]);
  });
});

describe("a dead letter", () => {
  const letter = (messageId: string, minutes: number, body: object = {}) =>
    world.db.query(
      `insert into dead_letters (id, queue, message_id, body, error, recorded_at)
       values (gen_random_uuid(), 'bursar-notices', $1, $2, '500', $3)`,
      [messageId, body, new Date(NOW + minutes * MINUTE)],
    );

  it("alerts once for all dead letters of the same problem", async () => {
    for (const minutes of [0, 1, 2]) {
      await letter(`m${minutes}`, minutes);
      await at(minutes);
    }
    expect(await details()).toEqual([{ dead_letters: 1, queue: "bursar-notices", error: "500" }]);
  });

  it("creates no further alert for the dead letter of its own notice, so a broken channel cannot loop", async () => {
    await letter("m", 0);
    await at(0);
    const [notice] = deps.noticeQueue.sent;
    await world.db.query("update dead_letters set replayed_at = now()");
    await at(1);
    await letter("own", 2, notice);
    await at(2);
    await at(3 * 24 * 60);
    expect(await kinds()).toEqual(["dead_letter"]);
  });
});

describe("LiteLLM silence", () => {
  beforeEach(() => createTenant(ownKeyInput(), deps).then(() => undefined));

  it("stays quiet while the sweep reads its tenants once an hour", async () => {
    await world.db.query("update tenant_configs set created_at = $1", [new Date(NOW - DAY)]);
    for (let hour = 0; hour < 12; hour++) {
      await world.db.query("update tenant_spend set read_at = $1", [new Date(NOW + hour * HOUR)]);
      await at(hour * 60 + 59);
    }
    expect(await kinds()).toEqual([]);
  });

  it("alerts when no tenant was read for two hours", async () => {
    await world.db.query("update tenant_configs set created_at = $1", [new Date(NOW - DAY)]);
    await at(119);
    expect(await kinds()).toEqual([]);
    await at(120);
    expect(await details()).toEqual([{ last_read_at: new Date(NOW).toISOString() }]);
  });
});

it("alerts after a quarter of an hour when LiteLLM refuses a desired state, once a day", async () => {
  await world.litellm.stop();
  await createTenant(ownKeyInput(), deps);
  for (const minutes of [14, 15, 16, 24 * 60, 24 * 60 + 15, 24 * 60 + 16]) await at(minutes);
  expect(await kinds()).toEqual(["sync_pending", "sync_pending"]);
  expect(await details()).toMatchObject([{ tenants: 1, tenant_id: "acme", since: new Date(NOW).toISOString() }, {}]);
  expect(deps.noticeQueue.sent).toHaveLength(2);
});

it("alerts once when two sweeps run at the same time", async () => {
  await noteOutage(NOW);
  await Promise.all([at(5), at(5), at(5)]);
  expect([await kinds(), deps.noticeQueue.sent.length]).toEqual([["litellm_out"], 1]);
});

it("loses nothing when the queue refuses: the delivery is pending, and the sweep finds it", async () => {
  await noteOutage(NOW);
  deps.noticeQueue.isAway = true;
  await expect(at(1)).rejects.toThrow("queue");
  deps.noticeQueue.isAway = false;
  await at(2);
  expect(deps.noticeQueue.sent).toEqual([]);
  expect(await world.db.query("select status from notice_deliveries")).toEqual([{ status: "pending" }]);
});
