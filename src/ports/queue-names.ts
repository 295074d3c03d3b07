// What a queue is for, by its name. Decides only.

/**
 * What a queue is for. A deployment may put any prefix before it: `staging-spend`, and `staging-spend-dead` for its
 * dead letters.
 */
export type QueueRole = "spend" | "notices";

const QUEUE_NAME = /(?:^|-)(spend|notices)(?:-dead)?$/;

/** Null when the queue is none of ours. A dead-letter queue has the role of the queue that it belongs to. */
export function queueRoleOf(name: string): QueueRole | null {
  return (QUEUE_NAME.exec(name)?.[1] as QueueRole | undefined) ?? null;
}

export function isDeadLetterQueue(name: string): boolean {
  return name.endsWith("-dead");
}
