// LiteLLM's spend tracking in virtual time: pods that count the cost of their own calls, a database that lags, reports
// of finished calls, and a webhook when a pod refuses. Never calls Bursar.

import type { Instant } from "../../src/budget/instant.ts";
import type { NanoUsd } from "../../src/budget/money.ts";
import type { SeededRandom } from "../../test/support/builders/seeded-random.ts";
import type { VirtualTimers } from "../../test/support/fakes/virtual-timers.ts";
import { DATABASE_SECONDS, POD_CACHE_SECONDS, REPORT_SECONDS } from "./scenario.ts";

/** A call that a pod allowed, with the spend that the pod knew when the call began. */
export interface Begun {
  readonly pod: number;
  readonly spendBefore: NanoUsd;
  readonly begunAt: Instant;
}

/** The highest spend among the calls that a pod reports. */
export interface PodReport {
  readonly spendNanoUsd: NanoUsd;
  readonly begunAt: Instant;
  readonly count: number;
}

interface Pod {
  /** The key's spend in the pod's memory: the database's value when the pod fetched it, plus the pod's own calls. */
  spend: NanoUsd;
  fetchedAt: Instant;
  unwritten: NanoUsd;
  report: PodReport | null;
  hasAlerted: boolean;
}

export interface PodsOptions {
  readonly pods: number;
  /** Null when LiteLLM refuses nothing. */
  readonly blocksAt: NanoUsd | null;
  readonly spend: NanoUsd;
  readonly timers: VirtualTimers;
  readonly clock: () => Instant;
  readonly random: SeededRandom;
  readonly onWritten: (database: NanoUsd) => void;
  readonly onReport: (report: PodReport) => void;
  /** LiteLLM's webhook. Each pod sends it once, with the first call that it refuses. */
  readonly onBudgetCrossed: (spend: NanoUsd) => void;
}

export class LiteLlmPods {
  readonly #options: PodsOptions;
  readonly #pods: readonly Pod[];
  #database: NanoUsd;
  /** The true spend. */
  spent: NanoUsd;

  constructor(options: PodsOptions) {
    this.#options = options;
    this.#database = options.spend;
    this.spent = options.spend;
    // Pods were started at different times.
    this.#pods = Array.from({ length: options.pods }, () => ({
      spend: options.spend,
      fetchedAt: options.clock() - options.random.next() * POD_CACHE_SECONDS * 1_000,
      unwritten: 0n,
      report: null,
      hasAlerted: false,
    }));
  }

  /** Starts the periodic writes and reports of every pod. They end when `isOver` is true. */
  start(isOver: () => boolean): void {
    const { timers, random } = this.#options;
    const every = async (seconds: () => number, work: () => void) => {
      await timers.after(random.next() * seconds() * 1_000).passed;
      while (!isOver()) {
        work();
        await timers.after(seconds() * 1_000).passed;
      }
    };
    const { min, max } = DATABASE_SECONDS;
    for (const pod of this.#pods) {
      void every(
        () => min + random.next() * (max - min),
        () => this.#write(pod),
      );
      void every(
        () => REPORT_SECONDS,
        () => this.#report(pod),
      );
    }
  }

  /** Null when the pod refuses the call because the spend that it knows has reached the block threshold. */
  begin(index: number): Begun | null {
    const { clock, blocksAt, onBudgetCrossed } = this.#options;
    const pod = this.#podAt(index);
    this.#fetchIfOld(pod);
    if (blocksAt !== null && pod.spend >= blocksAt) {
      if (!pod.hasAlerted) onBudgetCrossed(pod.spend);
      pod.hasAlerted = true;
      return null;
    }
    return { pod: index, spendBefore: pod.spend, begunAt: clock() };
  }

  /** Returns the spend that the pod now knows, which is the header of an answer that is not a stream. */
  finish({ pod: index, spendBefore, begunAt }: Begun, cost: NanoUsd): NanoUsd {
    const pod = this.#podAt(index);
    pod.spend += cost;
    pod.unwritten += cost;
    this.spent += cost;
    const reported = spendBefore + cost;
    const { report } = pod;
    const isHighest = report === null || reported > report.spendNanoUsd;
    const highest = isHighest ? { spendNanoUsd: reported, begunAt } : report;
    pod.report = { ...highest, count: (report?.count ?? 0) + 1 };
    return pod.spend;
  }

  /** A pod that fetches the key again takes the database's spend where it is higher. */
  #fetchIfOld(pod: Pod): void {
    const now = this.#options.clock();
    if (now - pod.fetchedAt < POD_CACHE_SECONDS * 1_000) return;
    pod.fetchedAt = now;
    if (this.#database > pod.spend) pod.spend = this.#database;
  }

  #write(pod: Pod): void {
    this.#database += pod.unwritten;
    pod.unwritten = 0n;
    this.#options.onWritten(this.#database);
  }

  #report(pod: Pod): void {
    if (pod.report !== null) this.#options.onReport(pod.report);
    pod.report = null;
  }

  #podAt(index: number): Pod {
    const pod = this.#pods[index];
    if (pod === undefined) throw new Error(`no such pod: ${index}`);
    return pod;
  }
}
