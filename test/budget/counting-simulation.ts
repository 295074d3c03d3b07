// Plays LiteLLM against the counting rule in virtual time: a database that lags, events that are lost, late, repeated
// or regrouped, slow reads that arrive out of order, resets, corrections by hand, several pods and clocks that differ.
// Amounts are nano-dollars, instants milliseconds.

import {
  type CountedCall,
  countCalls,
  countRead,
  cutoffOf,
  isCountable,
  type Ledger,
  replaceLedger,
  unsettledAround,
} from "../../src/budget/counting.ts";
import type { SpendRead } from "../../src/budget/spend.ts";
import { SeededRandom } from "../support/builders/seeded-random.ts";

export interface Scenario {
  /** Traffic without pauses. */
  readonly isBusy?: boolean;
  /** The share of calls that last minutes. */
  readonly long?: number;
  /** The shares of events that are lost, that come minutes late, and that come again in another batch. */
  readonly lost?: number;
  readonly late?: number;
  readonly again?: number;
  /** The share of reads that are recorded up to 40 s after their answer. */
  readonly readLate?: number;
  /** The longest time that a read takes. */
  readonly slowReadMs?: number;
  /** How far the clocks of the pods differ from Bursar's. */
  readonly skewMs?: number;
  readonly correction?: "any" | "small";
  readonly scheduledReset?: boolean;
  readonly ownReset?: boolean;
  readonly hasNoCallback?: boolean;
  readonly databaseStalls?: boolean;
}

export interface Outcome {
  /** The most that the ledger was above LiteLLM's count, away from changes by hand. */
  readonly overNanoUsd: bigint;
  /** LiteLLM's count less the ledger, after ten quiet minutes. */
  readonly missingNanoUsd: bigint;
  /** How long after a change by hand the ledger was above LiteLLM's count. */
  readonly fellAfterMs: number;
  /** How often a read lowered the spend within a period. */
  readonly falls: number;
  /** How far the ledger was behind in steady traffic, in seconds of spend. */
  readonly meanLagSeconds: number;
}

const SECOND = 1_000;
const PODS = 2;
const END = 1_800 * SECOND;
const QUIET = 500 * SECOND;
const TRAFFIC_END = END - QUIET;
/** A change by hand is seen within this time, and not at once. */
const BLIND = 200 * SECOND;
const NEVER = -1e12;
/** In the middle of what most scenarios spend, so that some corrections lift a block and others do not. */
const BLOCKS_AT = 200_000_000_000n;
/** The length of a period in LiteLLM, unless it is reset earlier. */
const MONTH = 30 * 86_400 * SECOND;

type Call = CountedCall & { readonly id: number };

export function simulate(seed: number, scenario: Scenario): Outcome {
  return new Simulation(seed, scenario).run();
}

class Simulation {
  readonly #random: SeededRandom;
  readonly #scenario: Scenario;
  readonly #due: { at: number; work: () => void }[] = [];
  readonly #pods: bigint[] = Array.from({ length: PODS }, () => 0n);
  readonly #skews: number[];
  readonly #counted = new Map<number, CountedCall>();
  #now = 0;
  #database = 0n;
  /** Spend that pods hold and the database does not have yet. */
  #unwritten = 0n;
  /** When the current period began by schedule; LiteLLM enters it some seconds later. */
  #period = 0;
  #firstEnd = MONTH;
  #ledger: Ledger | null = null;
  #nextReadAt: number | null = null;
  #changedAt = NEVER;
  #over = 0n;
  #fellAfter = 0;
  #falls = 0;
  #spent = 0n;
  readonly #behind: bigint[] = [];

  constructor(seed: number, scenario: Scenario) {
    this.#random = new SeededRandom(seed);
    this.#scenario = scenario;
    const skew = scenario.skewMs ?? 0;
    this.#skews = Array.from({ length: PODS }, () => this.#between(-skew, skew));
  }

  run(): Outcome {
    this.#planTraffic();
    for (let pod = 0; pod < PODS; pod++) this.#at(this.#between(0, 12 * SECOND), () => this.#flush(pod));
    const cadence = this.#random.pick([5, 15, 60]) * SECOND;
    this.#at(this.#between(0, 60 * SECOND), () => this.#keepReading(cadence));
    const { correction, scheduledReset, ownReset } = this.#scenario;
    if (correction !== undefined)
      this.#at(this.#between(300 * SECOND, TRAFFIC_END - 600 * SECOND), () => this.#correct());
    if (scheduledReset === true) {
      this.#firstEnd = Math.round(this.#between(300 * SECOND, TRAFFIC_END));
      this.#at(this.#firstEnd + this.#between(0, 60 * SECOND), () => this.#reset(false));
    }
    if (ownReset === true) this.#at(this.#between(300 * SECOND, TRAFFIC_END), () => this.#reset(true));
    for (let next = this.#takeNext(); next !== null && next.at <= END; next = this.#takeNext()) {
      this.#now = next.at;
      next.work();
      this.#compare();
    }
    const perSecond = Number(this.#spent) / (TRAFFIC_END / SECOND);
    const mean = this.#behind.reduce((sum, each) => sum + Number(each), 0) / Math.max(1, this.#behind.length);
    return {
      overNanoUsd: this.#over,
      missingNanoUsd: this.#truth() - this.#spend(),
      fellAfterMs: this.#fellAfter,
      falls: this.#falls,
      meanLagSeconds: perSecond === 0 ? 0 : mean / perSecond,
    };
  }

  #truth = () => this.#database + this.#unwritten;
  #spend = () => this.#ledger?.spendNanoUsd ?? 0n;

  #planTraffic(): void {
    const { isBusy } = this.#scenario;
    const perSecond = this.#random.pick(isBusy === true ? [0.5, 2] : [0.05, 0.5, 2]);
    for (
      let at = SECOND;
      at < TRAFFIC_END;
      at += Math.ceil(-Math.log(1 - this.#random.next()) * (SECOND / perSecond))
    ) {
      const [startsAt, pod] = [at, this.#random.below(PODS)];
      this.#at(startsAt, () => this.#startCall(pod));
      if (isBusy !== true && this.#random.chance(0.02)) at += this.#between(20 * SECOND, 120 * SECOND);
    }
  }

  #startCall(pod: number): void {
    const isLong = this.#random.chance(this.#scenario.long ?? 0);
    const [min, max] = isLong ? [60, 400] : this.#random.chance(0.5) ? [0.05, 0.8] : [0.5, 8];
    const cost = BigInt(Math.round(-Math.log(1 - this.#random.next()) * 1_000)) * 1_000_000n;
    this.#at(this.#now + this.#between(min * SECOND, max * SECOND), () => this.#endCall(pod, cost));
  }

  #endCall(pod: number, costNanoUsd: bigint): void {
    this.#unwritten += costNanoUsd;
    this.#spent += costNanoUsd;
    this.#pods[pod] = (this.#pods[pod] ?? 0n) + costNanoUsd;
    const { hasNoCallback, lost = 0, late = 0, again = 0 } = this.#scenario;
    if (hasNoCallback === true || this.#random.chance(lost)) return;
    const call = { id: this.#random.below(2 ** 48), endedAt: this.#now + (this.#skews[pod] ?? 0), costNanoUsd };
    const delay = this.#random.chance(late)
      ? this.#between(60 * SECOND, 600 * SECOND)
      : this.#between(SECOND, 10 * SECOND);
    const send = (afterMs: number) => this.#at(this.#now + afterMs, () => this.#receive([call]));
    send(delay);
    if (this.#random.chance(0.05)) send(delay + this.#between(0, 200 * SECOND));
    if (this.#random.chance(again)) send(delay + this.#between(0, 60 * SECOND));
  }

  #endOf = (period: number) => (period === 0 ? this.#firstEnd : period + MONTH);

  /** What the store does: keeps each call once, and counts it if it is new. */
  #receive(calls: readonly Call[]): void {
    const fresh = calls.filter((call) => !this.#counted.has(call.id) && isCountable(call, this.#now));
    for (const call of fresh) this.#counted.set(call.id, call);
    if (this.#ledger !== null) this.#ledger = countCalls(this.#ledger, fresh, this.#now);
  }

  #flush(pod: number): void {
    const batch = this.#pods[pod] ?? 0n;
    this.#pods[pod] = 0n;
    const isStalled = this.#scenario.databaseStalls === true && this.#now > 600 * SECOND && this.#now < 720 * SECOND;
    const delay = isStalled ? 721 * SECOND - this.#now : this.#between(0, 8 * SECOND);
    this.#at(this.#now + delay, () => {
      this.#database += batch;
      this.#unwritten -= batch;
    });
    this.#at(this.#now + this.#between(10 * SECOND, 15 * SECOND), () => this.#flush(pod));
  }

  #keepReading(cadence: number): void {
    this.#read(false);
    this.#at(this.#now + this.#between(0.8 * cadence, 1.2 * cadence), () => this.#keepReading(cadence));
  }

  #read(isFirst: boolean): void {
    const { slowReadMs = 100, readLate = 0 } = this.#scenario;
    const askedAt = this.#now;
    const answeredAt = askedAt + this.#between(20, slowReadMs);
    this.#at(this.#between(askedAt, answeredAt), () => {
      const read = { spendNanoUsd: this.#database, begunAt: askedAt, answeredAt, resetsAt: this.#endOf(this.#period) };
      const isLate = !isFirst && this.#random.chance(readLate);
      const recordedAt = answeredAt + (isLate ? this.#between(2 * SECOND, 40 * SECOND) : this.#between(0, 500));
      this.#at(Math.max(recordedAt, this.#now), () => this.#record(read, isFirst));
    });
  }

  /** What Bursar does with a read, and with the first one after its own reset. */
  #record(read: SpendRead, isFirst: boolean): void {
    const after = this.#costOf((endedAt) => endedAt > cutoffOf(read));
    const before = this.#ledger;
    if (isFirst) {
      const startedAt = before?.periodStartedAt ?? this.#period;
      this.#ledger = replaceLedger(before, read, startedAt, after);
      return;
    }
    const startedAt = before?.periodStartedAt ?? 0;
    const period = { startedAt, resetsAt: this.#endOf(startedAt) };
    const { ledger, proofAt: nextReadAt } = countRead(before, read, {
      period,
      calls: {
        afterCutoffNanoUsd: after,
        atReadNanoUsd: this.#costAround(read.answeredAt),
        atBaseNanoUsd: before === null ? 0n : this.#costAround(before.baseAnsweredAt),
      },
      blocksAtNanoUsd: BLOCKS_AT,
      now: this.#now,
    });
    const isSamePeriod = before !== null && before.periodStartedAt === ledger.periodStartedAt;
    if (isSamePeriod && ledger.epoch > before.epoch) this.#falls++;
    this.#ledger = ledger;
    if (nextReadAt !== null && nextReadAt !== this.#nextReadAt) {
      this.#nextReadAt = nextReadAt;
      this.#at(Math.max(nextReadAt, this.#now), () => this.#read(false));
    }
  }

  #costAround(answeredAt: number): bigint {
    const { from, to } = unsettledAround({ answeredAt });
    return this.#costOf((endedAt) => endedAt > from && endedAt <= to);
  }

  #costOf(isMeant: (endedAt: number) => boolean): bigint {
    const meant = [...this.#counted.values()].filter(({ endedAt }) => isMeant(endedAt));
    return meant.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0n);
  }

  /** An administrator of LiteLLM lowers the spend. */
  #correct(): void {
    const share = BigInt(Math.round(this.#between(0, 950)));
    const lowered =
      this.#scenario.correction === "any"
        ? (this.#database * share) / 1_000n
        : this.#database - BigInt(Math.round(this.#between(5, 60))) * 1_000_000_000n;
    this.#database = lowered < 0n ? 0n : lowered;
    this.#changedAt = this.#now;
  }

  #reset(isOwn: boolean): void {
    this.#database = 0n;
    if (!isOwn) this.#period = this.#firstEnd;
    else {
      this.#at(this.#now + 50, () => this.#read(true));
      this.#changedAt = this.#now - BLIND + 10 * SECOND;
    }
  }

  #compare(): void {
    if (this.#ledger === null || this.#ledger.periodStartedAt !== this.#period) return;
    const over = this.#spend() - this.#truth();
    const since = this.#now - this.#changedAt;
    if (over > 0n && since > BLIND && over > this.#over) this.#over = over;
    if (over > 0n && this.#changedAt > 0) this.#fellAfter = Math.max(this.#fellAfter, since);
    const isSteady = this.#now > 300 * SECOND && this.#now < TRAFFIC_END && since > BLIND;
    if (isSteady) this.#behind.push(-over);
  }

  #between(low: number, high: number): number {
    return Math.round(low + this.#random.next() * (high - low));
  }

  #at(at: number, work: () => void): void {
    const index = this.#due.findIndex((each) => each.at < at);
    if (index === -1) this.#due.push({ at, work });
    else this.#due.splice(index, 0, { at, work });
  }

  #takeNext = () => this.#due.pop() ?? null;
}
