// A webhook that comes more than once under one id is recorded once, as long as Redis can say so; without Redis it is
// recorded again, which harms nothing. Only senders that sign have ids. Never skips what a crash may have left half done.

import type { Ports } from "../../ports/ports.ts";
import { valueOrNull } from "../waiting.ts";
import type { Incoming } from "./merge-batch.ts";

export type DuplicateDeps = Pick<Ports, "claims" | "timers" | "log">;

/** A whole batch waits for it, and can do without. */
const TIMEOUT_MS = 250;

export interface Sifted {
  readonly fresh: readonly Incoming[];
  /** False when Redis could not say, and when there was nothing to ask: then it is not told either. */
  readonly isAsked: boolean;
}

export async function skipDuplicates(incoming: readonly Incoming[], deps: DuplicateDeps): Promise<Sifted> {
  const copies = Map.groupBy(incoming, nameOf);
  const nameless = copies.get("") ?? [];
  copies.delete("");
  const look = () => deps.claims.webhooksDone([...copies.keys()]);
  const doneBy = copies.size === 0 ? null : await valueOrNull("look for webhooks", look(), TIMEOUT_MS, deps);
  const firsts = [...copies.values()].flatMap((messages, at) => firstOf(messages, doneBy?.[at]) ?? []);
  return { fresh: [...nameless, ...firsts], isAsked: doneBy !== null };
}

/** Only for messages that do not come again: from now on their copies are skipped. */
export async function noteDone(messages: readonly Incoming[], deps: DuplicateDeps): Promise<void> {
  const doneBy = new Map(messages.map((message) => [nameOf(message), message.messageId]));
  doneBy.delete("");
  if (doneBy.size === 0) return;
  await valueOrNull("note webhooks", deps.claims.noteWebhooksDone(doneBy), TIMEOUT_MS, deps);
}

/**
 * What comes again is never skipped: it may have recorded an alert and died before the notices were queued, and a copy that
 * came in between has found nothing new. Nor is the very message that was done with.
 */
function firstOf(copies: readonly Incoming[], doneBy: string | null | undefined): Incoming | undefined {
  return (
    copies.find(({ isRedelivery }) => isRedelivery) ??
    copies.find(({ messageId }) => (doneBy ?? messageId) === messageId)
  );
}

/**
 * Of whom it tells is part of it: senders whose ids are alike must not swallow what is told of another tenant. Empty where
 * there is no id.
 */
function nameOf({ body }: Incoming): string {
  if (body.kind !== "webhook" || !body.webhook_id) return "";
  return `${body.key_hash ?? body.team_id ?? body.user_id}/${body.webhook_id}`;
}
