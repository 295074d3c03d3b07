// The world of a check: the real memory of one isolate, and fakes of everything outside it that can be slow, hang or
// fail. Time is virtual. `now` is the instant at which a check begins.

import { IsolateMemory } from "../../../src/adapters/cloudflare/isolate-memory.ts";
import type { Instant } from "../../../src/budget/instant.ts";
import type { SpendRecord } from "../../../src/budget/spend.ts";
import type { TenantConfig } from "../../../src/budget/tenant.ts";
import type { Verdict } from "../../../src/budget/verdict.ts";
import type { CheckInput, CheckOutcome } from "../../../src/flows/check/check.ts";
import { checkBudget } from "../../../src/flows/check/check-budget.ts";
import type { PlatformAlerts } from "../../../src/ports/notice-stores.ts";
import type { Policy } from "../../../src/ports/policy.ts";
import type { Background, Cipher, NoticeQueue } from "../../../src/ports/ports.ts";
import type { SpendBatches, TenantKeys } from "../../../src/ports/stores.ts";
import { aSpendRecord, aTenantConfig, NOW } from "../../budget/builders.ts";
import { aTenant, hashOf, idOf } from "../builders/builders.ts";
import { TimedClaims } from "../fakes/fake-claims.ts";
import { aLiteLlmRow, FakeLiteLlm } from "../fakes/fake-litellm.ts";
import { FakeOutageNotes, FakeSnapshots } from "../fakes/fake-snapshots.ts";
import { FakeSpendQueue } from "../fakes/fake-spend-queue.ts";
import { FakeTenants } from "../fakes/fake-tenants.ts";
import { RecordedLog } from "../fakes/recorded-log.ts";
import { VirtualTimers } from "../fakes/virtual-timers.ts";
import { breakable } from "../faults/breakable.ts";
import { unusedPort } from "../faults/unused-port.ts";

export const ACME = idOf("acme");
export const ADDRESS = "203.0.113.7";
export const byKey = { kind: "key", keyHash: hashOf("a"), network: ADDRESS } as const;
export const byId = { kind: "tenant", tenantId: ACME } as const;

export const POLICY: Policy = {
  defaultFailPolicy: "open",
  unmanagedKeys: "allow",
  failOpenMinutes: 60,
  checkDeadlineMs: 100,
  alertRepeatSeconds: 3_600,
  corsOrigins: [],
  allowsLocalTargets: false,
  publicUrl: null,
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
  readonly outageCopy = new FakeOutageNotes();
  readonly litellm = new FakeLiteLlm(this.timers, this.clock);
  readonly redis = new TimedClaims(this.clock);
  readonly queue = new FakeSpendQueue();
  readonly log = new RecordedLog();
  policy: Policy = POLICY;

  readonly snapshots = breakable(this.kv, this.timers);
  readonly outageNotes = breakable(this.outageCopy, this.timers);
  readonly tenants = breakable(this.postgres, this.timers);
  readonly reads = breakable(this.litellm, this.timers);
  readonly claims = breakable(this.redis, this.timers);
  readonly spendQueue = breakable(this.queue, this.timers);
  readonly #backgroundWork: Promise<unknown>[] = [];

  deps(memory = this.memory) {
    const background: Background = (what, work) => {
      this.#backgroundWork.push(work.catch((cause: unknown) => this.log.error(`${what} failed`, cause)));
    };
    return {
      ...UNUSED,
      memory,
      snapshots: this.snapshots.port,
      outageNotes: this.outageNotes.port,
      tenants: this.tenants.port,
      litellm: this.reads.port,
      claims: this.claims.port,
      spendQueue: this.spendQueue.port,
      timers: this.timers,
      clock: this.clock,
      background,
      log: this.log,
      policy: this.policy,
    };
  }

  /** Adds a tenant to Postgres, KV and LiteLLM. */
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
    if (config.subject.kind === "key") this.kv.owners.set(config.subject.id, config.tenantId);
  }

  /** Runs a check from now to its answer. Its background work continues. */
  check(input: Partial<CheckInput> = {}): Promise<Answered> {
    return this.timers.runUntil(this.begin(input));
  }

  /** Runs checks that begin at the same moment. */
  together(inputs: readonly Partial<CheckInput>[]): Promise<Answered[]> {
    return this.timers.runUntil(Promise.all(inputs.map((input) => this.begin(input))));
  }

  /** Runs a check in each of `count` isolates of one colo, at the same moment. Their memories are empty. */
  inIsolates(count: number, input: Partial<CheckInput> = {}): Promise<Answered[]> {
    const isolates = Array.from({ length: count }, () => new IsolateMemory());
    return this.timers.runUntil(Promise.all(isolates.map((memory) => this.begin(input, memory))));
  }

  /** Sends keys that nobody has, until no more of them are looked up for the network. */
  async guessKeys(network: string = ADDRESS): Promise<void> {
    const guess = (index: number) => ({ kind: "key", keyHash: hashOf(`guess ${index}`), network }) as const;
    for (let index = 0; index < 31; index++) await this.check({ caller: guess(index) });
  }

  /** Begins a check without advancing the time, for checks that overlap. */
  async begin(input: Partial<CheckInput> = {}, memory = this.memory): Promise<Answered> {
    const now = this.clock();
    const whole = { caller: byKey, demandedMaxAgeMs: null, colo: "FRA", now, random: 0, ...input };
    const outcome = await checkBudget(whole, this.deps(memory));
    return { outcome, tookMs: this.clock() - now };
  }

  /** Runs the background work of all checks to its end. @throws Error when some of it hangs. */
  async untilQuiet(): Promise<void> {
    for (let done = 0; done < this.#backgroundWork.length; done++)
      await this.timers.runUntil(this.#backgroundWork[done] ?? DONE);
  }

  /** Empties the memory, as in another isolate of the same colo with the same stores. */
  forgetAll(): void {
    this.memory.forgetTenant(ACME);
    this.memory.forgetFailedRead(ACME);
  }
}

const DONE = Promise.resolve();

/** For keys with a mark, which test/flows/keys looks up in Postgres. */
const UNUSED = {
  tenantKeys: unusedPort<TenantKeys>("tenantKeys"),
  spendBatches: unusedPort<SpendBatches>("spendBatches"),
  platformAlerts: unusedPort<PlatformAlerts>("platformAlerts"),
  noticeQueue: unusedPort<NoticeQueue>("noticeQueue"),
  cipher: unusedPort<Cipher>("cipher"),
};

/** @throws Error when the check did not end in a verdict. */
export function verdictOf({ outcome }: Answered): Verdict {
  if (outcome.kind !== "verdict") throw new Error(`expected a verdict, got ${outcome.kind}`);
  return outcome.verdict;
}
