// Dead letters in memory. Recording a message twice makes one dead letter. `isAway` makes every verb throw.

import type { DeadLetters } from "../../../src/ports/notice-stores.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { PageQuery } from "../../../src/ports/page.ts";
import type { DeadLetter, DeadLetterRecord } from "../../../src/records/dead-letter.ts";
import type { Actor } from "../../../src/records/tenant.ts";
import { cursorOf, positionOf } from "../../../src/wire/page-cursor.ts";
import { uuidOf } from "../builders/notice-builders.ts";

export class FakeDeadLetters implements DeadLetters {
  isAway = false;
  letters: DeadLetterRecord[] = [];

  async record(letter: DeadLetter) {
    this.#reach();
    const isThere = this.letters.some(
      ({ queue, messageId }) => queue === letter.queue && messageId === letter.messageId,
    );
    if (isThere) return;
    this.letters.push({ ...letter, id: uuidOf(this.letters.length + 1), replayedAt: null, replayedBy: null });
  }

  async list({ before, limit }: PageQuery) {
    this.#reach();
    const newestFirst = this.letters.toSorted((a, b) => b.recordedAt - a.recordedAt);
    const last = before === null ? null : positionOf(before)?.id;
    const from = newestFirst.findIndex(({ id }) => id === last) + 1;
    const rows = newestFirst.slice(from, from + limit);
    const end = rows.at(-1);
    const isMore = end !== undefined && newestFirst.length > from + limit;
    return { rows, next: isMore ? cursorOf({ at: end.recordedAt, id: end.id }) : null };
  }

  async load(id: string) {
    this.#reach();
    return this.letters.find((letter) => letter.id === id) ?? null;
  }

  async markReplayed(id: string, { name, now }: Actor) {
    this.#reach();
    const replayed = { replayedAt: now, replayedBy: name };
    this.letters = this.letters.map((letter) => (letter.id === id ? { ...letter, ...replayed } : letter));
  }

  #reach() {
    if (this.isAway) throw new Outage("postgres", "away", null);
  }
}
