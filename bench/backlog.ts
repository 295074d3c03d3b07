// Samples the backlog of a queue until it is empty.

import type { Workerd } from "../dev/worker/workerd.ts";
import { backlogOf } from "./bench-run.ts";

export interface BacklogSample {
  readonly atMs: number;
  readonly messages: number;
  readonly oldestMs: number;
}

const SAMPLE_MS = 250;

/** More than any machine needs. Without a time-out a lost message would stall the benchmark for ever. */
const TIMEOUT_MS = 180_000;

/** Samples the spend queue from now until `sending` has settled and both queues are empty. */
export async function sampleBacklog(worker: Workerd, sending: Promise<unknown>): Promise<BacklogSample[]> {
  const samples: BacklogSample[] = [];
  const begunAt = performance.now();
  let isSending = true;
  const done = sending.finally(() => {
    isSending = false;
  });
  for (;;) {
    const wasSending = isSending;
    const { messages, oldestMs } = await backlogOf(worker, "SPEND_QUEUE");
    const atMs = performance.now() - begunAt;
    samples.push({ atMs, messages, oldestMs });
    if (!wasSending && messages === 0 && (await backlogOf(worker, "NOTICES_QUEUE")).messages === 0) break;
    if (atMs > TIMEOUT_MS) throw new Error(`after ${TIMEOUT_MS / 1_000} s there are still ${messages} messages`);
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  }
  await done;
  return samples;
}
