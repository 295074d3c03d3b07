// Skips a webhook that arrives again under the same id, as long as Redis answers. Without Redis it is recorded again,
// which does no harm. Only signed webhooks have ids. Never skips a webhook that a crash may have left half recorded.

import type { Ports } from "../../ports/ports.ts";
import { valueOrNull } from "../waiting.ts";
import type { Incoming } from "./merge-batch.ts";

export type DuplicateDeps = Pick<Ports, "claims" | "timers" | "log">;

/** A whole batch waits for Redis, and can go on without it. */
const TIMEOUT_MS = 250;

export interface Deduplicated {
  readonly fresh: readonly Incoming[];
  /** True when Redis answered the lookup. Without it the consumer does not mark the webhooks as recorded. */
  readonly hasRedisAnswered: boolean;
}

export async function skipDuplicates(incoming: readonly Incoming[], deps: DuplicateDeps): Promise<Deduplicated> {
  const copies = Map.groupBy(incoming, duplicateKeyOf);
  const withoutId = copies.get("") ?? [];
  copies.delete("");
  const lookup = () => deps.claims.recordedWebhooks([...copies.keys()]);
  const recordedBy = copies.size === 0 ? null : await valueOrNull("redis webhook lookup", lookup(), TIMEOUT_MS, deps);
  const firsts = [...copies.values()].flatMap((messages, at) => firstOf(messages, recordedBy?.[at]) ?? []);
  return { fresh: [...withoutId, ...firsts], hasRedisAnswered: recordedBy !== null };
}

/**
 * Marks webhooks as recorded, so that their duplicates are skipped. Call it only for messages that are acknowledged.
 */
export async function markRecorded(messages: readonly Incoming[], deps: DuplicateDeps): Promise<void> {
  const recordedBy = new Map(messages.map((message) => [duplicateKeyOf(message), message.messageId]));
  recordedBy.delete("");
  if (recordedBy.size === 0) return;
  await valueOrNull("redis webhook write", deps.claims.rememberRecordedWebhooks(recordedBy), TIMEOUT_MS, deps);
}

/**
 * The one copy to record; undefined when all are duplicates. A redelivered message is never skipped: its first delivery
 * may have crashed between recording an alert and queueing the notices. Nor is the message that was itself marked as
 * recorded.
 */
function firstOf(copies: readonly Incoming[], recordedBy: string | null | undefined): Incoming | undefined {
  return (
    copies.find(({ isRedelivery }) => isRedelivery) ??
    copies.find(({ messageId }) => (recordedBy ?? messageId) === messageId)
  );
}

/**
 * Includes the subject of the webhook, so that two senders with the same ids do not suppress each other's reports.
 * Empty without an id.
 */
function duplicateKeyOf({ body }: Incoming): string {
  if (body.kind !== "webhook" || !body.webhook_id) return "";
  return `${body.key_hash ?? body.team_id ?? body.user_id}/${body.webhook_id}`;
}
