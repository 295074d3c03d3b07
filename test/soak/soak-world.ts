// The world of the run: the real consumers with Postgres, Redis and the providers' endpoints, fakes of Cloudflare's
// services and of LiteLLM, and one clock. Schedules the work; asserts nothing.

import { vi } from "vitest";
import type { Inbox } from "../../dev/inbox/start.ts";
import { aesCipher } from "../../src/adapters/cloudflare/aes-cipher.ts";
import { IsolateBreakers } from "../../src/adapters/cloudflare/isolate-breakers.ts";
import { IsolateMemory } from "../../src/adapters/cloudflare/isolate-memory.ts";
import { queueNotices, queueSpend, replayQueues } from "../../src/adapters/cloudflare/queues.ts";
import { discordNotifier } from "../../src/adapters/notifiers/discord-notifier.ts";
import { emailNotifier } from "../../src/adapters/notifiers/email-notifier.ts";
import { pagerDutyNotifier } from "../../src/adapters/notifiers/pagerduty-notifier.ts";
import { slackNotifier } from "../../src/adapters/notifiers/slack-notifier.ts";
import { teamsNotifier } from "../../src/adapters/notifiers/teams-notifier.ts";
import { webhookNotifier } from "../../src/adapters/notifiers/webhook-notifier.ts";
import { postgresAlerts } from "../../src/adapters/postgres/alerts/alerts.ts";
import { postgresPlatformAlerts } from "../../src/adapters/postgres/alerts/platform-alerts.ts";
import { postgresAuditLog } from "../../src/adapters/postgres/audit/audit-log.ts";
import { postgresTenantKeys } from "../../src/adapters/postgres/keys/tenant-keys.ts";
import { postgresChannels } from "../../src/adapters/postgres/notices/channels.ts";
import { postgresDeadLetters } from "../../src/adapters/postgres/notices/dead-letters.ts";
import { postgresDeliveries } from "../../src/adapters/postgres/notices/deliveries.ts";
import { postgresReadLeases } from "../../src/adapters/postgres/read-leases.ts";
import { postgresRetention } from "../../src/adapters/postgres/retention.ts";
import { postgresSpendBatches } from "../../src/adapters/postgres/spend-batches.ts";
import { postgresLedgers } from "../../src/adapters/postgres/tenants/ledgers.ts";
import { postgresOverrides } from "../../src/adapters/postgres/tenants/overrides.ts";
import { postgresTenants } from "../../src/adapters/postgres/tenants/tenants.ts";
import { upstashClaims } from "../../src/adapters/redis/upstash-claims.ts";
import type { Instant } from "../../src/budget/instant.ts";
import { requeueDeliveries } from "../../src/flows/notices/requeue-deliveries.ts";
import { noticeMessage } from "../../src/ports/messages.ts";
import type { Ports } from "../../src/ports/ports.ts";
import { consumeBatch } from "../../src/queue/consume-batch.ts";
import { MINUTE, NOW } from "../budget/builders.ts";
import type { SeededRandom } from "../support/builders/seeded-random.ts";
import { aLiteLlmRow, FakeLiteLlm } from "../support/fakes/fake-litellm.ts";
import { FakeOutageNotes, FakeSnapshots } from "../support/fakes/fake-snapshots.ts";
import { Turns } from "../support/faults/turns.ts";
import { unusedPort } from "../support/faults/unused-port.ts";
import type { TenantDatabase } from "../support/servers/tenant-database.ts";
import { type QueueRules, type TestBatch, TestQueues } from "../support/servers/test-queues.ts";
import { POLICY } from "../support/worlds/check-world.ts";
import type { SoakChannel } from "./channels.ts";
import type { SoakRedis } from "./soak-redis.ts";
import type { Report, SoakTenant, Stage } from "./traffic.ts";
import { type Counts, Process, type Surroundings } from "./troubles.ts";

const SPEND = "bursar-spend";
const NOTICES = "bursar-notices";

/** The settings of wrangler.toml. */
const RULES: Readonly<Record<string, QueueRules>> = {
  [SPEND]: { maxBatchSize: 100, maxRetries: 10, retryDelaySeconds: 5, deadLetterQueue: `${SPEND}-dead` },
  [NOTICES]: { maxBatchSize: 10, maxRetries: 20, retryDelaySeconds: 10, deadLetterQueue: `${NOTICES}-dead` },
  [`${SPEND}-dead`]: { maxBatchSize: 20, maxRetries: 100, retryDelaySeconds: 60, deadLetterQueue: null },
  [`${NOTICES}-dead`]: { maxBatchSize: 20, maxRetries: 100, retryDelaySeconds: 60, deadLetterQueue: null },
};

/** Concurrent invocations, and the isolates that they run in. */
const AT_ONCE = 3;
const ISOLATES = 2;

/** A little longer than a delivery must be overdue before the sweep queues it again. */
const OVERDUE_MS = 11 * MINUTE;

const SWEEPS = 20;

export interface SoakOptions {
  readonly db: TenantDatabase;
  readonly redis: SoakRedis;
  readonly inbox: Inbox;
  readonly channels: readonly SoakChannel[];
  /** Null for an undisturbed run. */
  readonly random: SeededRandom | null;
}

export class SoakWorld {
  readonly queues: TestQueues;
  readonly counts: Counts = { failedBefore: 0, answersLost: 0, providerFailures: 0, deaths: 0 };
  #now = NOW;
  readonly #options: SoakOptions;
  readonly #turns: Turns;
  readonly #litellm: FakeLiteLlm;
  readonly #ports: Omit<Ports, "memory">;
  readonly #isolates = Array.from({ length: ISOLATES }, () => new IsolateMemory());
  #round: readonly TestBatch[] = [];
  readonly #unrecorded = new Set<string>();

  constructor(options: SoakOptions) {
    const clock = () => this.#now;
    this.#options = options;
    this.queues = new TestQueues(RULES, options.random, clock);
    this.#turns = new Turns(options.random);
    this.#litellm = new FakeLiteLlm(this.#turns, clock);
    const spendQueue = this.queues.producer(SPEND);
    const noticeQueue = this.queues.producer(NOTICES);
    this.#ports = {
      ...storesOf(options),
      snapshots: new FakeSnapshots(),
      outageNotes: new FakeOutageNotes(),
      litellm: this.#litellm,
      modelCalls: unusedPort("modelCalls"),
      channelBreakers: new IsolateBreakers(),
      spendQueue: queueSpend(spendQueue),
      noticeQueue: queueNotices(noticeQueue),
      replayQueues: replayQueues({ spend: spendQueue, notices: noticeQueue }),
      notifier: notifierOf(options.inbox),
      timers: this.#turns,
      clock,
    };
  }

  /** Plays a stage: sets LiteLLM's spend, sends its reports, and runs until every queue is empty. */
  async playStage(
    { startsAt, truth }: Pick<Stage, "startsAt" | "truth">,
    tenants: readonly SoakTenant[],
    reports: readonly Report[],
  ) {
    if (this.#now > startsAt) throw new Error("the previous stage is not over yet");
    await this.#moveTo(startsAt);
    for (const { name, subject } of tenants) {
      const spendNanoUsd = truth.get(subject.id) ?? 0n;
      this.#litellm.has(aLiteLlmRow({ subject, spendNanoUsd, metadata: { tenant_id: name } }));
    }
    const queue = this.queues.producer(SPEND);
    for (const { body, dueAt } of reports) await queue.send(body, { delaySeconds: (dueAt - startsAt) / 1_000 });
    await this.#drain();
  }

  /** Runs sweeps until no delivery is pending. Returns how many it took. */
  async sweep(pending: () => Promise<number>): Promise<number> {
    let sweeps = 0;
    for (; (await pending()) > 0; sweeps++) {
      if (sweeps === SWEEPS) throw new Error(`deliveries are still pending after ${SWEEPS} sweeps`);
      await this.#moveTo(this.#now + OVERDUE_MS);
      const process = this.#begin(new IsolateMemory());
      const swept = requeueDeliveries({ now: this.#now }, process.ports).catch(() => "the next sweep retries");
      await this.#turns.runUntil(swept);
      await this.#drain();
    }
    return sweeps;
  }

  /** From now on the notices queue loses this share of its messages. */
  loseNotices(share: number): void {
    this.queues.losses.set(NOTICES, share);
  }

  async #drain(): Promise<void> {
    for (let next = this.queues.nextDueAt(); next !== null; next = this.queues.nextDueAt()) {
      if (next > this.#now) await this.#moveTo(next);
      this.#round = this.queues.takeBatches(this.#options.random === null ? 1 : AT_ONCE);
      await this.#turns.runUntil(Promise.all(this.#round.map((batch) => this.#invoke(batch))));
    }
  }

  async #invoke(batch: TestBatch): Promise<void> {
    const isolate = this.#options.random?.below(ISOLATES) ?? 0;
    const process = this.#begin(this.#isolates[isolate] ?? new IsolateMemory());
    await consumeBatch(batch, process.ports);
    batch.settle(process);
    if (process.hasDied) this.#isolates[isolate] = new IsolateMemory();
  }

  #begin(memory: IsolateMemory): Process {
    const { random, inbox, channels } = this.#options;
    const around: Surroundings = {
      turns: this.#turns,
      random,
      counts: this.counts,
      unrecorded: this.#unrecorded,
      refuseNext: (kind, status) =>
        inbox.fail({ kind, how: { status, ...(status === 429 && { retryAfter: "7" }) }, times: 1 }),
      slackUrlOf: (id) => channels.find((each) => each.id === id)?.slackUrl ?? null,
      inHand: (key) => {
        const wanted = JSON.stringify(noticeMessage(key));
        const messages = this.#round.flatMap((batch) => batch.messages);
        return messages.filter(({ body }) => JSON.stringify(body) === wanted).length;
      },
    };
    return new Process({ ...this.#ports, memory }, around);
  }

  async #moveTo(now: Instant): Promise<void> {
    await this.#options.redis.age(now - this.#now);
    this.#now = now;
    vi.setSystemTime(now);
  }
}

function storesOf({ db, redis }: SoakOptions) {
  const { database } = db;
  return {
    tenants: postgresTenants(database),
    tenantKeys: postgresTenantKeys(database),
    overrides: postgresOverrides(database),
    spendBatches: postgresSpendBatches(database),
    ledgers: postgresLedgers(database),
    readLeases: postgresReadLeases(database),
    alerts: postgresAlerts(database),
    platformAlerts: postgresPlatformAlerts(database),
    deliveries: postgresDeliveries(database),
    channels: postgresChannels(database),
    audit: postgresAuditLog(database),
    retention: postgresRetention(database),
    deadLetters: postgresDeadLetters(database),
    claims: upstashClaims({ url: redis.url, token: redis.token }),
    cipher: SEALER,
    background: () => {},
    log: { info() {}, warn() {}, error() {} },
    policy: POLICY,
  };
}

export const SEALER = aesCipher([{ id: "k1", key: new Uint8Array(32).fill(7) }]);

function notifierOf({ url }: Inbox): Ports["notifier"] {
  const local = { allowsLocalTargets: true };
  const resend = { url: `${url}/resend`, apiKey: "re_soak" };
  const provider = { from: "Bursar <budgets@example.com>", resend, bindingEndpoint: null };
  return {
    slack: slackNotifier(local),
    email: emailNotifier(provider, undefined, local),
    webhook: webhookNotifier(local),
    pagerduty: pagerDutyNotifier(`${url}/pagerduty`, local),
    teams: teamsNotifier(local),
    discord: discordNotifier(local),
  };
}
