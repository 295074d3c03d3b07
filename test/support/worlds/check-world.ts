// What a check runs in: one isolate's real memory, and doubles of everything outside it that can be slow, hang or fail.
// Time is virtual; `now` is always the moment at which a check begins.

import { IsolateMemory } from "../../../src/adapters/cloudflare/isolate-memory.ts";
import type { Instant } from "../../../src/budget/instant.ts";
import type { SpendRecord } from "../../../src/budget/spend.ts";
import type { TenantConfig, TenantId } from "../../../src/budget/tenant.ts";
import type { Verdict } from "../../../src/budget/verdict.ts";
import { type CheckInput, type CheckOutcome, checkBudget } from "../../../src/flows/check/check-budget.ts";
import type { Policy } from "../../../src/ports/policy.ts";
import type { Background } from "../../../src/ports/ports.ts";
import { aSpendRecord, aTenantConfig, NOW } from "../../budget/builders.ts";
import { aTenant, hashOf, idOf } from "../builders/builders.ts";
import { FakeClaims } from "../fakes/fake-claims.ts";
import { aLiteLlmRow, FakeLiteLlm } from "../fakes/fake-litellm.ts";
import { FakeSnapshots } from "../fakes/fake-snapshots.ts";
import { FakeSpendQueue } from "../fakes/fake-spend-queue.ts";
import { FakeTenants } from "../fakes/fake-tenants.ts";
import { RecordedLog } from "../fakes/recorded-log.ts";
import { VirtualTimers } from "../fakes/virtual-timers.ts";
import { breakable } from "../faults/breakable.ts";

export const ACME = idOf("acme");
export const ADDRESS = "203.0.113.7";
export const byKey = { kind: "key", keyHash: hashOf("a"), address: ADDRESS } as const;
export const byId = { kind: "tenant", tenantId: ACME } as const;

export const POLICY: Policy = {
  defaultFailPolicy: "open",
  unmanagedKeys: "allow",
  failOpenMinutes: 60,
  checkDeadlineMs: 100,
  alertRepeatSeconds: 3_600,
  allowsLocalTargets: false,
};

export interface Answered {
  readonly outcome: CheckOutcome;
  readonly tookMs: number;
}

export class CheckWorld {
  readonly timers = new VirtualTimers();
  readonly clock = (): Instant => NOW + this.timers.elapsedMs;
  readonly memory = new IsolateMemory();
  readonly kv = new FakeSnapshots();
  readonly postgres = new FakeTenants();
  readonly litellm = new FakeLiteLlm(this.timers, this.clock);
  readonly redis = new TimedClaims(this.clock);
  readonly queue = new FakeSpendQueue();
  readonly callers = { isAllowed: true, asked: [] as string[] };
  readonly log = new RecordedLog();
  policy: Policy = POLICY;

  readonly snapshots = breakable(this.kv, this.timers);
  readonly tenants = breakable(this.postgres, this.timers);
  readonly reads = breakable(this.litellm, this.timers);
  readonly claims = breakable(this.redis, this.timers);
  readonly spendQueue = breakable(this.queue, this.timers);
  readonly unknownCallers = breakable(
    {
      allows: async (caller: string) => {
        this.callers.asked.push(caller);
        return this.callers.isAllowed;
      },
    },
    this.timers,
  );
  readonly #behind: Promise<unknown>[] = [];

  deps() {
    const background: Background = (what, work) => {
      this.#behind.push(work.catch((cause: unknown) => this.log.error(`${what} failed`, cause)));
    };
    return {
      memory: this.memory,
      snapshots: this.snapshots.port,
      tenants: this.tenants.port,
      litellm: this.reads.port,
      claims: this.claims.port,
      spendQueue: this.spendQueue.port,
      unknownCallers: this.unknownCallers.port,
      timers: this.timers,
      clock: this.clock,
      background,
      log: this.log,
      policy: this.policy,
    };
  }

  /** The tenant as all of Bursar knows it. */
  hasTenant(config: Partial<TenantConfig> = {}, spend: Partial<SpendRecord> | null = {}): TenantConfig {
    const whole = aTenantConfig(config);
    this.inPostgres(whole, spend);
    this.inKv(whole, spend);
    this.litellm.has(aLiteLlmRow({ subject: whole.subject, spendNanoUsd: aSpendRecord(spend ?? {}).spendNanoUsd }));
    return whole;
  }

  inPostgres(config: TenantConfig, spend: Partial<SpendRecord> | null = {}): void {
    this.postgres.has(aTenant({ config, spend: spend === null ? null : aSpendRecord(spend) }));
  }

  inKv(config: TenantConfig, spend: Partial<SpendRecord> | null = {}): void {
    this.kv.configs.set(config.tenantId, config);
    if (spend !== null) this.kv.spends.set(config.tenantId, aSpendRecord(spend));
    if (config.subject.kind === "key") this.kv.tenantsOfKeys.set(config.subject.id, config.tenantId);
  }

  /** A check that begins now, and how long its answer took. What goes on behind it goes on. */
  check(input: Partial<CheckInput> = {}): Promise<Answered> {
    return this.timers.runUntil(this.begin(input));
  }

  /** Checks that begin at the same moment. */
  together(inputs: readonly Partial<CheckInput>[]): Promise<Answered[]> {
    return this.timers.runUntil(Promise.all(inputs.map((input) => this.begin(input))));
  }

  /** For checks that overlap: somebody else lets the time pass. */
  async begin(input: Partial<CheckInput> = {}): Promise<Answered> {
    const now = this.clock();
    const whole = { caller: byKey, demandedMaxAgeMs: null, colo: "FRA", now, random: 0, ...input };
    const outcome = await checkBudget(whole, this.deps());
    return { outcome, tookMs: this.clock() - now };
  }

  /** Until everything behind the answers is over. @throws when something of it hangs. */
  async untilQuiet(): Promise<void> {
    for (let done = 0; done < this.#behind.length; done++) await this.timers.runUntil(this.#behind[done] ?? DONE);
  }

  /** Another isolate of the same colo: the same stores, another memory. */
  forgetAll(): void {
    this.memory.forgetTenant(ACME);
    this.memory.forgetFailedRead(ACME);
  }
}

const DONE = Promise.resolve();

/** @throws when the check did not end in a verdict. */
export function verdictOf({ outcome }: Answered): Verdict {
  if (outcome.kind !== "verdict") throw new Error(`no verdict but ${outcome.kind}`);
  return outcome.verdict;
}

/** As Redis does, a claim ends after its time. */
class TimedClaims extends FakeClaims {
  readonly #clock: () => Instant;
  readonly #until = new Map<string, Instant>();

  constructor(clock: () => Instant) {
    super();
    this.#clock = clock;
  }

  override async claimRefresh(tenantId: TenantId, colo: string, seconds = 5) {
    const name = `${tenantId} ${colo} ${seconds}`;
    const isFree = (this.#until.get(name) ?? 0) <= this.#clock();
    if (isFree) this.#until.set(name, this.#clock() + seconds * 1_000);
    return isFree;
  }
}
