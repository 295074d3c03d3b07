// Sends 1,000 reports for 25 tenants (10,000 for 50 in `npm run test:long`), each one to three times and in any order,
// through consumers that fail and die at random. The run must end with exactly the alerts and notices of the
// undisturbed run: none lost, none doubled.
//
// The run leaves out failures that no sender can recover from, because Slack cannot recognise a repeated message:
// - No process dies between Slack's acceptance and Bursar's first record of it (in Redis or Postgres), and no answer of
//   Slack is lost. Each of the two records may fail, and is retried.
// - Redis fails no claim of a Slack notice that another message is sending, or that only Redis records as sent: a
//   consumer without Redis sends, because a doubled notice is better than a lost one.

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Inbox, startInbox } from "../../dev/inbox/start.ts";
import { MINUTE, NOW } from "../budget/builders.ts";
import { SeededRandom } from "../support/builders/seeded-random.ts";
import { postgresBackends } from "../support/servers/postgres-backends.ts";
import { useTenants } from "../support/servers/tenant-database.ts";
import { makeChannels, type SoakChannel, WEBHOOK_SECRET } from "./channels.ts";
import { expectedFrom } from "./expected.ts";
import { outcomeOf } from "./outcome.ts";
import { insertSoakChannel, makeIdsRepeatable, newSoakTenant } from "./seed.ts";
import { type SoakRedis, startSoakRedis } from "./soak-redis.ts";
import { SoakWorld } from "./soak-world.ts";
import { disturbed, makeTraffic, REPORTS } from "./traffic.ts";

const SEED = Number(process.env["SOAK_SEED"] ?? 20_261_125);

/** In this stage the notices queue loses every message, as after a purge. The sweep queues them again. */
const PURGED_STAGE = 2;

describe.each(postgresBackends)("on $name", (backend) => {
  const { db, create } = useTenants(backend, { isOwn: true });
  let redis: SoakRedis;
  let inbox: Inbox;
  let channels: readonly SoakChannel[];
  const traffic = makeTraffic(new SeededRandom(SEED));

  beforeAll(async () => {
    await makeIdsRepeatable(db);
    redis = await startSoakRedis(backend.name === "PGlite" ? undefined : process.env["TEST_REDIS_URL"]);
    inbox = await startInbox(0);
    channels = makeChannels(traffic.tenants, inbox.url);
    for (const { kind, name } of channels) if (kind === "webhook") inbox.trust(name, [WEBHOOK_SECRET]);
    vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  });
  afterAll(async () => {
    vi.useRealTimers();
    await redis.stop();
    await inbox.stop();
  });

  const pending = async () => (await db.query("select from notice_deliveries where status = 'pending'")).length;

  async function run(random: SeededRandom | null) {
    await db.empty();
    await db.query("delete from dead_letters");
    await redis.empty();
    inbox.clear();
    inbox.fail(null);
    for (const tenant of traffic.tenants) await create(newSoakTenant(tenant));
    for (const channel of channels) await insertSoakChannel(db, channel);
    const world = new SoakWorld({ db, redis, inbox, channels, random });
    let sweeps = 0;
    for (const [number, stage] of traffic.stages.entries()) {
      const isPurged = random !== null && number === PURGED_STAGE;
      world.loseNotices(isPurged ? 1 : 0);
      await world.playStage(stage, traffic.tenants, random === null ? stage.reports : disturbed(stage, random));
      // The redelivered messages of a dead consumer finish its work, so nothing is left for the sweep.
      if (!isPurged) expect(await pending(), `SOAK_SEED=${SEED}, stage ${number}`).toBe(0);
      world.loseNotices(0);
      sweeps += await world.sweep(pending);
    }
    expect(world.queues.size).toBe(0);
    return {
      outcome: await outcomeOf(db, inbox, channels),
      counts: { sweeps, ...world.counts, ...world.queues.counts },
    };
  }

  it("a disturbed run ends with the same alerts and notices as the undisturbed run", {
    timeout: 10 * MINUTE,
  }, async () => {
    const begunAt = performance.now();
    const undisturbed = await run(null);
    // The undisturbed run has the expected result.
    expect(undisturbed.outcome).toMatchObject({ ...expectedFrom(traffic, channels), deadLetters: 0 });
    const { outcome, counts } = await run(new SeededRandom(SEED + 1));
    const seconds = Math.round((performance.now() - begunAt) / 1_000);
    const notices = outcome.notices.length;
    console.log(`soak on ${backend.name}, seed ${SEED}: ${JSON.stringify({ ...counts, notices, seconds })}`);
    expect(outcome, `SOAK_SEED=${SEED}`).toEqual(undisturbed.outcome);
    expectDisturbed(counts);
  });
});

/** The least number of failures per 10,000 reports, in proportion for fewer: a run without failures proves nothing. */
function expectDisturbed(counts: Readonly<Record<string, number>>): void {
  const least = { failedBefore: 200, answersLost: 200, providerFailures: 20, deaths: 20, cameAgain: 100, sweeps: 1 };
  for (const [name, count] of Object.entries({ ...least, retried: 1_000, delivered: 20_000 })) {
    expect(counts[name], name).toBeGreaterThanOrEqual(Math.floor((count * REPORTS) / 10_000));
  }
}
