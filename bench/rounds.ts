// Interleaved rounds: every round runs each contender once, so that other load on the machine slows all of them alike.
// A result is the median over the rounds. Ratios are computed per round, before the median.

import type { LoadJob, LoadResult } from "./load/job.ts";
import type { Load } from "./load/start-load.ts";

export interface Contender {
  readonly name: string;
  /** The name of the contender that the ratios divide by. A baseline names itself. */
  readonly baseline: string;
  /** The job of a round, by the round's number. */
  job(round: number): LoadJob;
  /** Runs after each round. Throws when an answer was wrong. */
  after?(result: LoadResult): void | Promise<void>;
}

export interface Figures {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
  readonly p50Ratio: number;
  readonly p95Ratio: number;
}

/** Plays one warm-up round per contender, then `rounds` that count. */
export async function playRounds(
  load: Load,
  contenders: readonly Contender[],
  rounds: number,
): Promise<ReadonlyMap<string, Figures>> {
  const played = new Map<string, LoadResult[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const { name, job, after } of contenders) {
      const result = await load.fire(job(round + 1));
      refuseWrongAnswers(name, result, "200");
      await after?.(result);
      if (round >= 0) played.get(name)?.push(result);
    }
  }
  return new Map(
    contenders.map(({ name, baseline }) => [name, numbersOf(played.get(name) ?? [], played.get(baseline) ?? [])]),
  );
}

/** @throws Error with the statuses received, unless every answer has `status`. */
export function refuseWrongAnswers(name: string, result: LoadResult, status: string): void {
  const { statuses, errors, count } = result;
  if (count > 0 && errors === 0 && Object.keys(statuses).every((each) => each === status)) return;
  throw new Error(`${name}: answered wrongly: ${JSON.stringify({ statuses, errors, count })}`);
}

function numbersOf(results: readonly LoadResult[], baseline: readonly LoadResult[]): Figures {
  const over = (pick: (result: LoadResult) => number) =>
    median(results.map((result, round) => pick(result) / pick(baseline[round] ?? result)));
  return {
    p50Ms: median(results.map(({ p50Ms }) => p50Ms)),
    p95Ms: median(results.map(({ p95Ms }) => p95Ms)),
    p99Ms: median(results.map(({ p99Ms }) => p99Ms)),
    perSecond: median(results.map(({ perSecond }) => perSecond)),
    p95Ratio: over(({ p95Ms }) => p95Ms),
    p50Ratio: over(({ p50Ms }) => p50Ms),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
