// Schedules the sends of one batch: one at a time per channel, and at most a part of the six connections per tenant and
// for webhooks, so that a slow receiver delays only its own notices.

export interface Job {
  /** Jobs of one channel run one after the other. */
  readonly channel: string;
  /** The tenant, or the platform. */
  readonly owner: string;
  /** An endpoint that no chat or mail provider runs. */
  readonly isWebhook: boolean;
  /** First attempts run before retries. */
  readonly isRetry: boolean;
  run(): Promise<void>;
  /** Called instead of `run` when the batch has no time left. */
  requeue(): Promise<void>;
}

/** A Worker may have six open connections. */
const MAX_SENDS = 6;
const MAX_SENDS_PER_OWNER = 3;
/** Leaves two of six to the providers. */
const MAX_WEBHOOK_SENDS = 4;

/** Starts nothing once `over` has resolved. `run` and `requeue` never reject. */
export async function runJobs(jobs: readonly Job[], over: Promise<unknown>): Promise<void> {
  let isOver = false;
  const end = over.then(() => {
    isOver = true;
  });
  const waiting = [...jobs.filter(({ isRetry }) => !isRetry), ...jobs.filter(({ isRetry }) => isRetry)];
  const running = new Map<Job, Promise<void>>();
  while (waiting.length > 0 && !isOver) {
    const next = waiting.findIndex((job) => mayStart(job, [...running.keys()]));
    const [job] = next < 0 ? [] : waiting.splice(next, 1);
    if (job !== undefined)
      running.set(
        job,
        job.run().finally(() => running.delete(job)),
      );
    else await Promise.race([...running.values(), end]);
  }
  await Promise.all([...waiting.map((job) => job.requeue()), ...running.values()]);
}

function mayStart(job: Job, running: readonly Job[]): boolean {
  const taken = (isSame: (other: Job) => boolean) => running.filter(isSame).length;
  return (
    running.length < MAX_SENDS &&
    taken(({ channel }) => channel === job.channel) === 0 &&
    taken(({ owner }) => owner === job.owner) < MAX_SENDS_PER_OWNER &&
    (!job.isWebhook || taken(({ isWebhook }) => isWebhook) < MAX_WEBHOOK_SENDS)
  );
}
