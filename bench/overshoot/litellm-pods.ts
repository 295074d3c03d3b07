// LiteLLM's spend tracking in virtual time: pods that count the cost of their own calls, a database that lags, reports
// of finished calls, and a webhook when a pod refuses. Never calls Bursar.

import type { Behaviour } from "../../dev/litellm/profiles.ts";
import type { Instant } from "../../src/budget/instant.ts";
import type { NanoUsd } from "../../src/budget/money.ts";
import type { SeededRandom } from "../../test/support/builders/seeded-random.ts";
import type { VirtualTimers } from "../../test/support/fakes/virtual-timers.ts";
import { POD_CACHE_SECONDS, REPORT_SECONDS } from "./scenario.ts";

/** A call that a pod allowed. */
export interface Begun {
  readonly pod: number;
  readonly reserved: NanoUsd;
  readonly begunAt: Instant;
}

/** A finished call as a pod reports it. */
export interface Finished {
  readonly number: number;
  readonly begunAt: Instant;
  readonly endedAt: Instant;
  readonly costNanoUsd: NanoUsd;
}

interface Pod {
  /** The key's spend in the pod's memory: the database's value when the pod fetched it, plus the pod's own calls. */
  spend: NanoUsd;
  /** What the calls in flight may cost at most, in versions that reserve it. */
  reserved: NanoUsd;
  fetchedAt: Instant;
  unwritten: NanoUsd;
  finished: Finished[];
  hasAlerted: boolean;
}

export interface PodsOptions {
  readonly pods: number;
  readonly behaviour: Behaviour;
  /** What one call reserves at most. */
  readonly reservedNanoUsd: NanoUsd;
  /** Null when LiteLLM refuses nothing. */
  readonly blocksAt: NanoUsd | null;
  readonly spend: NanoUsd;
  readonly timers: VirtualTimers;
  readonly clock: () => Instant;
  readonly random: SeededRandom;
  readonly onWritten: (database: NanoUsd) => void;
  readonly onReport: (calls: readonly Finished[]) => void;
  /** LiteLLM's webhook. Each pod sends it once, with the first call that it refuses. */
  readonly onBudgetCrossed: (spend: NanoUsd) => void;
}

export class LiteLlmPods {
  readonly #options: PodsOptions;
  readonly #pods: readonly Pod[];
  #database: NanoUsd;
  #calls = 0;
  /** The true spend. */
  spent: NanoUsd;

  constructor(options: PodsOptions) {
    this.#options = options;
    this.#database = options.spend;
    this.spent = options.spend;
    // Pods were started at different times.
    this.#pods = Array.from({ length: options.pods }, () => ({
      spend: options.spend,
      reserved: 0n,
      fetchedAt: options.clock() - options.random.next() * POD_CACHE_SECONDS * 1_000,
      unwritten: 0n,
      finished: [],
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
    const { databaseDelayMs } = this.#options.behaviour;
    const [min, max] = [databaseDelayMs.min / 1_000, databaseDelayMs.max / 1_000];
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
    if (blocksAt !== null && pod.spend + pod.reserved >= blocksAt) {
      if (!pod.hasAlerted && pod.spend >= blocksAt) {
        onBudgetCrossed(pod.spend);
        pod.hasAlerted = true;
      }
      return null;
    }
    const reserved = blocksAt === null ? 0n : this.#reserve(pod, blocksAt);
    return { pod: index, reserved, begunAt: clock() };
  }

  finish({ pod: index, reserved, begunAt }: Begun, costNanoUsd: NanoUsd): void {
    const pod = this.#podAt(index);
    pod.reserved -= reserved;
    pod.spend += costNanoUsd;
    pod.unwritten += costNanoUsd;
    this.spent += costNanoUsd;
    pod.finished.push({ number: this.#calls++, begunAt, endedAt: this.#options.clock(), costNanoUsd });
  }

  /** A call reserves at most what is left. */
  #reserve(pod: Pod, blocksAt: NanoUsd): NanoUsd {
    const { behaviour, reservedNanoUsd } = this.#options;
    if (!behaviour.reservesBudget) return 0n;
    const left = blocksAt - pod.spend - pod.reserved;
    const isTight = left < reservedNanoUsd;
    pod.reserved += isTight ? left : reservedNanoUsd;
    return isTight ? left : reservedNanoUsd;
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
    if (pod.finished.length > 0) this.#options.onReport(pod.finished);
    pod.finished = [];
  }

  #podAt(index: number): Pod {
    const pod = this.#pods[index];
    if (pod === undefined) throw new Error(`no such pod: ${index}`);
    return pod;
  }
}
