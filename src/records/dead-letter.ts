// Queue messages that failed every attempt, kept for replay. Types only.

import type { Instant } from "../budget/instant.ts";

export interface DeadLetter {
  readonly queue: string;
  readonly messageId: string;
  readonly body: unknown;
  readonly attempts: number;
  readonly error: string;
  readonly recordedAt: Instant;
}

export interface DeadLetterRecord {
  readonly id: string;
  readonly queue: string;
  readonly messageId: string;
  readonly body: unknown;
  readonly attempts: number;
  readonly error: string | null;
  readonly recordedAt: Instant;
  readonly replayedAt: Instant | null;
  readonly replayedBy: string | null;
}
