// Bursar for one tenant: isolates in their colos and the consumer of the spend queue, with the real flows and the real memory
// of an isolate. What is outside (KV, Postgres, Redis, the queue) is a double in virtual time.

import { IsolateMemory } from "../../src/adapters/isolate-memory.ts";
import { decimalFromNanoUsd } from "../../src/budget/money.ts";
import { foldBound } from "../../src/budget/observation.ts";
import type { SpendRecord } from "../../src/budget/spend.ts";
import type { Instant, KeyHash, TenantConfig } from "../../src/budget/tenant.ts";
import { type CheckDeps, checkBudget } from "../../src/flows/check-budget.ts";
import { recordSpend } from "../../src/flows/record-spend.ts";
import type { SettleDeps } from "../../src/flows/settle-account.ts";
import type { DuplicateDeps } from "../../src/flows/skip-duplicates.ts";
import type { SpendMessage } from "../../src/messages.ts";
import type { Policy } from "../../src/policy.ts";
import type { LiteLlm, Log, Sealer, SpendQueue } from "../../src/ports.ts";
import type { Alerts } from "../../src/stores.ts";
import { incomingOf } from "../../test/support/builders.ts";
import { unusedPort } from "../../test/support/unused-port.ts";
import type { VirtualTimers } from "../../test/support/virtual-timers.ts";
import { ColoKv } from "./colo-kv.ts";
import { OnePostgres, TimedClaims } from "./one-tenant.ts";
import { COLOS, QUEUE_SECONDS } from "./scenario.ts";

const POLICY: Policy = {
  defaultFailPolicy: "open",
  unmanagedKeys: "allow",
  failOpenMinutes: 60,
  checkDeadlineMs: 100,
  alertRepeatSeconds: 3_600,
  allowsLocalTargets: false,
};

/** Gate tells of what it has seen this often; a figure that changes the state is told at once. */
const TELL_SECONDS = 5;

export interface EdgeOptions {
  readonly config: TenantConfig;
  readonly spend: SpendRecord;
  readonly litellm: LiteLlm;
  readonly timers: VirtualTimers;
  readonly clock: () => Instant;
}

export interface Isolate {
  /** True when the tenant may spend. `random` spreads what waits for a reset. */
  mayCall(random: number): Promise<boolean>;
  /** Gate has brought back what LiteLLM says was spent. */
  learn(spendNanoUsd: bigint, begunAt: Instant): void;
}

export class Edge {
  readonly #options: EdgeOptions;
  readonly #kv: ColoKv;
  readonly #postgres: OnePostgres;
  readonly #claims: TimedClaims;
  readonly #queue: SpendQueue;
  /** What was logged as an error: a run with any is no run. */
  readonly errors: unknown[] = [];
  #waiting: SpendMessage[] = [];
  readonly #consumer: SettleDeps & DuplicateDeps;

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

  /** What LiteLLM has told, as one of its doors puts it on the queue. */
  report(message: SpendMessage): void {
    void this.#deliver(message, 0);
  }

  isolateIn(colo: string): Isolate {
    const { config, clock } = this.#options;
    const deps = this.#checkDeps(colo);
    const { tenantId, subject } = config;
    const caller = { kind: "key", keyHash: subject.id as KeyHash, address: "203.0.113.7" } as const;
    return {
      async mayCall(random) {
        const input = { caller, demandedMaxAgeMs: null, colo, now: clock(), random };
        const outcome = await checkBudget(input, deps);
        if (outcome.kind !== "verdict") throw new Error(`no verdict but ${outcome.kind}`);
        return outcome.verdict.allowed;
      },
      learn: (spendNanoUsd, begunAt) => {
        const now = clock();
        const remembered = deps.memory.tenant(tenantId);
        const bound = { spendNanoUsd, source: "gate", begunAt, observedAt: now, resetsAt: undefined } as const;
        const spend = foldBound({ config, spend: remembered?.spend ?? null, periodSeenAt: null }, bound);
        if (spend === null || spend === remembered?.spend) return;
        deps.memory.rememberTenant(tenantId, { config, spend }, remembered?.checkedAt ?? 0);
        if (!deps.memory.takeTurn(`tell:${tenantId}`, TELL_SECONDS, now)) return;
        this.report(callsMessage(config, { spendNanoUsd, begunAt, count: 1 }, now));
      },
    };
  }

  #checkDeps(colo: string): CheckDeps {
    const { litellm, timers } = this.#options;
    return {
      memory: new IsolateMemory(),
      snapshots: this.#kv.in(colo),
      tenants: this.#postgres.tenants,
      litellm,
      claims: this.#claims,
      spendQueue: this.#queue,
      unknownCallers: { allows: async () => true },
      timers,
      background: (_, work) => void work.catch((cause: unknown) => this.errors.push(cause)),
      log: this.#log,
      policy: POLICY,
    };
  }

  /** It runs in one colo, wherever LiteLLM's reports arrive. */
  #consumerDeps(): SettleDeps & DuplicateDeps {
    return {
      ...this.#checkDeps(COLOS[0]),
      ledger: this.#postgres.ledger,
      // Nobody is told: what is looked for is how soon calls end.
      alerts: { ...unusedPort<Alerts>("alerts"), record: async () => ({ told: 0, deliveries: [] }) },
      noticeQueue: { sendAll: async () => {} },
      sealer: unusedPort<Sealer>("sealer"),
    };
  }

  /** Whatever comes while a batch gathers goes with it. */
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

/** As the door of the stock webhook puts it on the queue: a hint. */
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
    projected_spend: null,
    projected_exceeded_date: null,
    sent_at: at,
    received_at: at,
  };
}

/** As the doors put calls on the queue. */
export function callsMessage(
  { subject, budgetResetAt }: TenantConfig,
  { spendNanoUsd, begunAt, count }: { spendNanoUsd: bigint; begunAt: Instant; count: number },
  receivedAt: Instant,
): SpendMessage {
  return {
    kind: "calls",
    key_hash: subject.id,
    team_id: null,
    spend: decimalFromNanoUsd(spendNanoUsd),
    begun_at: begunAt,
    ...(budgetResetAt !== null && { resets_at: budgetResetAt }),
    received_at: receivedAt,
    count,
  };
}
