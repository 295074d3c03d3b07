// Schedules the sends of one batch. One target at a time, and no tenant and no kind of target may hold every place, so
// no slow receiver delays another's notice.

export interface Job {
  /** Jobs of one lane run one after the other. */
  readonly lane: string;
  /** Whose places it takes. */
  readonly owner: string;
  /** A receiver that a customer runs. */
  readonly isCustomers: boolean;
  /** First attempts run before retries. */
  readonly isRetry: boolean;
  run(): Promise<void>;
  /** Called instead of `run` when the batch has no time left. */
  putBack(): Promise<void>;
}

/** A Worker may have six open connections. */
const PLACES = 6;
const PLACES_PER_OWNER = 3;
/** So that Slack and e-mail always have two. */
const CUSTOMERS_PLACES = 4;

/** Starts nothing once `over` has resolved. `run` and `putBack` never reject. */
export async function runJobs(jobs: readonly Job[], over: Promise<unknown>): Promise<void> {
  let isOver = false;
  const end = over.then(() => {
    isOver = true;
  });
  const waiting = [...jobs.filter(({ isRetry }) => !isRetry), ...jobs.filter(({ isRetry }) => isRetry)];
  const running = new Map<Job, Promise<void>>();
  while (waiting.length > 0 && !isOver) {
    const next = waiting.findIndex((job) => hasPlace(job, [...running.keys()]));
    const [job] = next < 0 ? [] : waiting.splice(next, 1);
    if (job !== undefined)
      running.set(
        job,
        job.run().finally(() => running.delete(job)),
      );
    else await Promise.race([...running.values(), end]);
  }
  await Promise.all([...waiting.map((job) => job.putBack()), ...running.values()]);
}

function hasPlace(job: Job, running: readonly Job[]): boolean {
  const taken = (isSame: (other: Job) => boolean) => running.filter(isSame).length;
  return (
    running.length < PLACES &&
    taken(({ lane }) => lane === job.lane) === 0 &&
    taken(({ owner }) => owner === job.owner) < PLACES_PER_OWNER &&
    (!job.isCustomers || taken(({ isCustomers }) => isCustomers) < CUSTOMERS_PLACES)
  );
}
