// The pace of writes to KV. KV takes one write a second for each key and refuses others with a 429. So the writes of an
// isolate to one key take turns: what comes within the second is merged and written after it, and what KV refuses is
// written again. Other isolates have turns of their own.

import type { Ports } from "../../ports/ports.ts";
import { withBindingTimeout } from "./binding-timeout.ts";
import { BoundedMap } from "./bounded-map.ts";

/** What to write over `present`, the text that KV shows; null to leave it. Holds plain data: any request may run it. */
export type Change = (present: string | null) => NewText | null;

export interface NewText {
  readonly text: string;
  readonly options?: KVNamespacePutOptions;
}

interface Turn {
  waiting: readonly Change[];
  /** Until then a request of this isolate is about to write what waits. */
  heldUntil: number;
  /** When KV takes the next write. */
  freeAt: number;
}

/** The turns of an isolate, by key. */
export type Turns = Map<string, Turn>;

/** How long a colo may answer from its own copy. KV allows no less. */
export const CACHE_TTL_SECONDS = 30;

/** Cold reads take up to a quarter of a second; a check gives up much sooner by itself. */
export const KV_TIMEOUT_MS = 2_000;

/** A second, and what the way to KV may differ from one write to the next. */
const PACE_MS = 1_100;

/**
 * When a failed write is repeated: soon, because other isolates write the key too, and once more later. Together with
 * the time-outs this is shorter than the 30 s that work in the background may take.
 */
const AGAIN_AFTER_MS = [PACE_MS, 3_000] as const;

/** A read and a write with their time-outs. A request that has not written by then has been ended. */
const HELD_MS = 2 * KV_TIMEOUT_MS + 1_000;

/** Keys at a time, times an estimate of one. */
const TURNS_BYTES = 5_000_000;
const TURN_BYTES = 1_000;

export function newTurns(): Turns {
  return new BoundedMap(TURNS_BYTES, () => TURN_BYTES);
}

/**
 * Resolves when the change is written, when there is nothing to write, or when it waits for its turn. @throws Outage
 * when KV did not take the write, which is then repeated in the background.
 */
export type WriteInTurn = (key: string, change: Change) => Promise<void>;

export function writerInTurns(
  kv: KVNamespace,
  turns: Turns,
  { timers, clock, background }: Pick<Ports, "timers" | "clock" | "background">,
): WriteInTurn {
  const take = async (key: string, turn: Turn, failures: number): Promise<void> => {
    const changes = turn.waiting;
    turn.waiting = [];
    turn.heldUntil = clock() + HELD_MS;
    try {
      const read = kv.get(key, { type: "text", cacheTtl: CACHE_TTL_SECONDS });
      const next = merged(await withBindingTimeout("kv", "read", KV_TIMEOUT_MS, read), changes);
      if (next !== null) {
        turn.freeAt = clock() + PACE_MS;
        await withBindingTimeout("kv", "write", KV_TIMEOUT_MS, kv.put(key, next.text, next.options));
      }
    } catch (cause) {
      const isLast = failures === AGAIN_AFTER_MS.length;
      if (!isLast) turn.waiting = [...changes, ...turn.waiting];
      passOn(key, turn, isLast ? 0 : failures + 1);
      throw cause;
    }
    passOn(key, turn, 0);
  };

  /** Whatever waits by now is written after the second, or after the pause of a failed write. */
  const passOn = (key: string, turn: Turn, failures: number): void => {
    turn.heldUntil = 0;
    if (turn.waiting.length > 0) takeLater(key, turn, failures);
  };

  const takeLater = (key: string, turn: Turn, failures: number): void => {
    const pauseMs = Math.max(turn.freeAt - clock(), AGAIN_AFTER_MS[failures - 1] ?? 0);
    turn.heldUntil = clock() + pauseMs + HELD_MS;
    const work = timers.after(pauseMs).passed.then(() => take(key, turn, failures));
    // The first failure is in the log already.
    background(`kv ${kindOf(key)} write`, failures === 0 ? work : work.catch(() => undefined));
  };

  return async (key, change) => {
    const turn = turns.get(key) ?? { waiting: [], heldUntil: 0, freeAt: 0 };
    turns.set(key, turn);
    turn.waiting = [...turn.waiting, change];
    if (clock() < turn.heldUntil) return;
    if (clock() < turn.freeAt) takeLater(key, turn, 0);
    else await take(key, turn, 0);
  };
}

function merged(present: string | null, changes: readonly Change[]): NewText | null {
  return changes.reduce<NewText | null>((last, change) => change(last?.text ?? present) ?? last, null);
}

/** A key without the tenant or the hash in it, for the log. */
export function kindOf(key: string): string {
  return key.slice(0, key.indexOf(":"));
}
