// Keeps the newest messages, in memory only. Counts every message, including those that it no longer keeps.

import type { InboxMessage, MessageFilter } from "./message.ts";
import { isAboutTenant } from "./message-text.ts";

/** A benchmark sends tens of thousands of messages. 5,000 of a few kB each stay far below Node's memory limit. */
export const MAX_MESSAGES = 5_000;

export type CountFilter = Pick<MessageFilter, "kind" | "accepted">;

export interface Mailbox {
  add(message: InboxMessage): void;
  /** Newest first. */
  list(filter?: MessageFilter): InboxMessage[];
  find(id: string): InboxMessage | undefined;
  /** The number of messages since the last `clear`. Does not read the messages. */
  count(filter?: CountFilter): number;
  clear(): void;
  /** Rises with every change. The page polls it to detect changes. */
  revision(): number;
}

export function createMailbox(): Mailbox {
  let kept: InboxMessage[] = [];
  let totals: { kind: string; accepted: boolean; count: number }[] = [];
  let revision = 0;
  return {
    add(message) {
      revision += 1;
      kept.push(message);
      if (kept.length > MAX_MESSAGES) kept.shift();
      const { kind, accepted } = message;
      const total = totals.find((each) => each.kind === kind && each.accepted === accepted);
      if (total === undefined) totals.push({ kind, accepted, count: 1 });
      else total.count += 1;
    },
    list({ kind, accepted, tenant, limit = MAX_MESSAGES } = {}) {
      const found: InboxMessage[] = [];
      for (let at = kept.length - 1; at >= 0 && found.length < limit; at--) {
        const message = kept[at];
        if (message === undefined || !matches(message, { kind, accepted })) continue;
        if (tenant === undefined || isAboutTenant(message, tenant)) found.push(message);
      }
      return found;
    },
    find: (id) => kept.find((message) => message.id === id),
    count: (filter = {}) =>
      totals.filter((total) => matches(total, filter)).reduce((sum, total) => sum + total.count, 0),
    clear() {
      revision += 1;
      kept = [];
      totals = [];
    },
    revision: () => revision,
  };
}

function matches(of: { kind: string; accepted: boolean }, { kind, accepted }: CountFilter): boolean {
  return (kind === undefined || of.kind === kind) && (accepted === undefined || of.accepted === accepted);
}
