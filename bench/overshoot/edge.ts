// Bursar for one tenant: isolates in colos and the consumer of the spend queue, with the real flows and the real
// isolate memory. KV, Postgres, Redis and the queue are fakes in virtual time.

import { IsolateMemory } from "../../src/adapters/cloudflare/isolate-memory.ts";
import { NO_OUTAGE } from "../../src/budget/failure.ts";
import type { Instant } from "../../src/budget/instant.ts";
import { decimalFromNanoUsd } from "../../src/budget/money.ts";
import type { SpendRecord } from "../../src/budget/spend.ts";
import type { KeyHash, TenantConfig } from "../../src/budget/tenant.ts";
import type { CheckDeps } from "../../src/flows/check/check.ts";
import { checkBudget } from "../../src/flows/check/check-budget.ts";
import { forwardCall } from "../../src/flows/check/forward-call.ts";
import { recordSpend } from "../../src/flows/spend/record-spend.ts";
import { callsMessage, type SpendMessage } from "../../src/ports/messages.ts";
import type { Alerts, PlatformAlerts } from "../../src/ports/notice-stores.ts";
import type { Cipher, LiteLlm, Log, ModelAnswer, ModelCall, SpendQueue } from "../../src/ports/ports.ts";
import type { TenantKeys } from "../../src/ports/stores.ts";
import { incomingOf } from "../../test/support/builders/builders.ts";
import { TimedClaims } from "../../test/support/fakes/fake-claims.ts";
import type { VirtualTimers } from "../../test/support/fakes/virtual-timers.ts";
import { unusedPort } from "../../test/support/faults/unused-port.ts";
import { ADDRESS, POLICY } from "../../test/support/worlds/check-world.ts";
import { ColoKv } from "./colo-kv.ts";
import type { Finished } from "./litellm-pods.ts";
import { OnePostgres } from "./one-tenant.ts";
import { COLOS, QUEUE_SECONDS } from "./scenario.ts";

type ConsumerDeps = Parameters<typeof recordSpend>[1];

/** All calls are the same object, because the caller of `forward` supplies LiteLLM's answer. */
const MODEL_CALL: ModelCall = {
  method: "POST",
  path: "/v1/chat/completions",
  headers: new Headers(),
  body: null,
  signal: new AbortController().signal,
};

export interface EdgeOptions {
  readonly config: TenantConfig;
  readonly spend: SpendRecord;
  readonly litellm: LiteLlm;
  readonly timers: VirtualTimers;
  readonly clock: () => Instant;
}

export interface Isolate {
  /** True when the tenant may spend. `random` is the check's jitter. */
  mayCall(random: number): Promise<boolean>;
  /** Sends a call through Gate, which calls `answerOfLiteLlm` if the tenant may spend. True when LiteLLM answered. */
  forward(random: number, answerOfLiteLlm: () => Promise<ModelAnswer>): Promise<boolean>;
}

export class Edge {
  readonly #options: EdgeOptions;
  readonly #kv: ColoKv;
  readonly #postgres: OnePostgres;
  readonly #claims: TimedClaims;
  readonly #queue: SpendQueue;
  /** Logged errors. A run with any is invalid. */
  readonly errors: unknown[] = [];
  #waiting: SpendMessage[] = [];
  readonly #consumer: ConsumerDeps;

  constructor(options: EdgeOptions) {
    const { config, spend, clock } = options;
    this.#options = options;
    this.#kv = new ColoKv(config, spend, clock);
    this.#postgres = new OnePostgres(config, spend);
    this.#claims = new TimedClaims(clock);
    this.#queue = {
      send: async (message, delaySeconds = 0) => void this.#deliver(message, delaySeconds),
      sendAll: async (messages) => {
        for (const message of messages) void this.#deliver(message, 0);
      },
    };
    this.#consumer = this.#consumerDeps();
  }

  /** Queues a report of LiteLLM, as the endpoint for it does. */
  report(message: SpendMessage): void {
    void this.#deliver(message, 0);
  }

  isolateIn(colo: string): Isolate {
    const { config, clock } = this.#options;
    const deps = this.#checkDeps(colo);
    const caller = { kind: "key", keyHash: config.subject.id as KeyHash, network: ADDRESS } as const;
    const checkAt = (random: number) => ({ caller, demandedMaxAgeMs: null, colo, now: clock(), random });
    return {
      async mayCall(random) {
        const outcome = await checkBudget(checkAt(random), deps);
        if (outcome.kind !== "verdict") throw new Error(`expected a verdict, got ${outcome.kind}`);
        return outcome.verdict.allowed;
      },
      async forward(random, answerOfLiteLlm) {
        const gateDeps = { ...deps, clock, modelCalls: { forward: answerOfLiteLlm } };
        const outcome = await forwardCall({ check: checkAt(random), call: MODEL_CALL, spends: true }, gateDeps);
        return outcome.kind === "answered";
      },
    };
  }

  #checkDeps(colo: string): CheckDeps {
    const { litellm, timers, clock } = this.#options;
    return {
      memory: new IsolateMemory(),
      snapshots: this.#kv.in(colo),
      outageNotes: { load: async () => NO_OUTAGE, save: async () => {} },
      tenants: this.#postgres.tenants,
      litellm,
      claims: this.#claims,
      // Only a key that was regenerated needs these.
      tenantKeys: unusedPort<TenantKeys>("tenantKeys"),
      platformAlerts: unusedPort<PlatformAlerts>("platformAlerts"),
      cipher: unusedPort<Cipher>("cipher"),
      spendBatches: this.#postgres.spendBatches,
      // The simulation measures only how soon calls stop, so it sends no notices.
      noticeQueue: { sendAll: async () => {} },
      spendQueue: this.#queue,
      timers,
      clock,
      background: (_, work) => void work.catch((cause: unknown) => this.errors.push(cause)),
      log: this.#log,
      policy: POLICY,
    };
  }

  /** The consumer runs in one colo, whichever colo receives LiteLLM's reports. */
  #consumerDeps(): ConsumerDeps {
    return {
      ...this.#checkDeps(COLOS[0]),
      ledgers: this.#postgres.ledgers,
      alerts: { ...unusedPort<Alerts>("alerts"), record: async () => ({ announced: 0, deliveries: [] }) },
    };
  }

  /** Adds a message to the batch that is filling. The first message of a batch delivers it after the batch time-out. */
  async #deliver(message: SpendMessage, delaySeconds: number): Promise<void> {
    const { timers, clock } = this.#options;
    if (delaySeconds > 0) await timers.after(delaySeconds * 1_000).passed;
    this.#waiting.push(message);
    if (this.#waiting.length > 1) return;
    await timers.after(QUEUE_SECONDS * 1_000).passed;
    const batch = this.#waiting;
    this.#waiting = [];
    const incoming = batch.map((each) => incomingOf(each));
    const failed = await recordSpend({ incoming, now: clock() }, this.#consumer);
    if (failed.size > 0) this.errors.push(new Error("the consumer failed"));
  }

  readonly #log: Log = {
    info: () => {},
    warn: () => {},
    error: (event, cause) => void this.errors.push(cause ?? event),
  };
}

/** A hint, as the endpoint of the stock webhook puts it on the queue. */
export function budgetCrossedMessage({ subject }: TenantConfig, spendNanoUsd: bigint, at: Instant): SpendMessage {
  return {
    kind: "webhook",
    door: "url_token",
    event: "budget_crossed",
    event_group: "key",
    key_hash: subject.id,
    team_id: null,
    user_id: null,
    spend: decimalFromNanoUsd(spendNanoUsd),
    sent_at: at,
    received_at: at,
  };
}

/** Calls, as the events endpoint puts them on the queue. */
export function callsOf({ subject }: TenantConfig, calls: readonly Finished[], receivedAt: Instant): SpendMessage {
  const queued = calls.map(({ number, begunAt, endedAt, costNanoUsd }) => ({
    id: number.toString(16).padStart(32, "0"),
    key_hash: subject.id,
    team_id: null,
    started_at: begunAt,
    ended_at: endedAt,
    cost: decimalFromNanoUsd(costNanoUsd),
  }));
  return callsMessage({ calls: queued, hints: [] }, receivedAt);
}
