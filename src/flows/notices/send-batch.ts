// Sends the notices of one batch of messages: loads them in one statement, and gives each channel a lane of its own.
// Whatever happens to one notice, every message gets its outcome.

import { BATCH_MS, REQUEUE_SECONDS } from "../../budget/schedules/pacing.ts";
import type { DeliveryKey } from "../../records/delivery.ts";
import type { NoticeDispatch } from "../../records/platform-alert.ts";
import { type Job, runJobs } from "./lanes.ts";
import { DONE, type MessageOutcome, requeueAfter } from "./record-attempt.ts";
import { type SendNoticeDeps, sendNotice } from "./send-notice.ts";

export interface QueuedNotice {
  readonly key: DeliveryKey;
  /** The queue's id of the message, the same at every delivery: a redelivery passes the claim of its first delivery. */
  readonly messageId: string;
  end(outcome: MessageOutcome): Promise<void>;
  /** An outage or a bug: the message is redelivered. */
  fail(cause: unknown): void;
}

export interface SendBatchInput {
  readonly notices: readonly QueuedNotice[];
  /** The name of the messages' queue in this deployment; a dead letter is replayed to it. */
  readonly queue: string;
  /** At least 0 and below 1, new for each notice. */
  readonly random: () => number;
}

/** Reads the clock, because a batch takes many seconds. @throws Outage when Postgres does not load the deliveries. */
export async function sendBatch({ notices, queue, random }: SendBatchInput, deps: SendNoticeDeps): Promise<void> {
  const faults = new Map<string, unknown>();
  const onUnreadable = (key: DeliveryKey, cause: unknown) => void faults.set(nameOf(key), cause);
  const keys = notices.map(({ key }) => key);
  const loaded = await deps.deliveries.load(keys, onUnreadable);
  const byName = new Map(loaded.map((dispatch) => [nameOf(dispatch.delivery), dispatch]));
  const jobs: Job[] = [];
  for (const notice of notices) {
    const dispatch = byName.get(nameOf(notice.key));
    if (faults.has(nameOf(notice.key))) notice.fail(faults.get(nameOf(notice.key)));
    else if (dispatch === undefined || dispatch.delivery.status !== "pending") await notice.end(DONE);
    else jobs.push(jobOf(notice, dispatch, { queue, random }, deps));
  }
  const timer = deps.timers.after(BATCH_MS);
  try {
    await runJobs(jobs, timer.passed);
  } finally {
    timer.cancel();
  }
}

const nameOf = ({ alertId, channelId }: DeliveryKey) => `${alertId} ${channelId}`;

function jobOf(
  notice: QueuedNotice,
  dispatch: NoticeDispatch,
  { queue, random }: Pick<SendBatchInput, "queue" | "random">,
  deps: SendNoticeDeps,
): Job {
  const { channel, delivery } = dispatch;
  return {
    channel: channel.id,
    owner: channel.tenantId ?? "the platform",
    isWebhook: channel.kind === "webhook",
    isRetry: delivery.attempts > 0,
    async run() {
      try {
        const { messageId } = notice;
        const input = { dispatch, queue, messageId, random: random(), now: deps.clock() };
        await notice.end(await sendNotice(input, deps));
      } catch (cause) {
        notice.fail(cause);
      }
    },
    requeue: () => notice.end(requeueAfter(REQUEUE_SECONDS, "the batch has no time left")),
  };
}
