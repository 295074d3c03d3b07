// The outage note: since when LiteLLM has been out, and what the last pings showed. The sweep pings LiteLLM once a
// minute; budget/failure.ts says when an outage begins and ends. KV holds the note for checks, Postgres a copy for when
// KV is down. Checks limit by it how long a fail-open policy stays open; an isolate caches it, even when it arrives too
// late for its check.

import { afterPing, isSameNote, newerNote, type OutageNote } from "../../budget/failure.ts";
import type { Instant } from "../../budget/instant.ts";
import type { Ports } from "../../ports/ports.ts";

type Notes = Pick<Ports, "snapshots" | "outageNotes" | "log">;

interface Copy {
  readonly store: "kv" | "postgres";
  readonly read: () => Promise<OutageNote>;
  readonly write: (note: OutageNote) => Promise<void>;
}

function copiesOf({ snapshots, outageNotes }: Notes): Copy[] {
  return [
    { store: "kv", read: () => snapshots.outageNote(), write: (note) => snapshots.writeOutage(note) },
    { store: "postgres", read: () => outageNotes.load(), write: (note) => outageNotes.save(note) },
  ];
}

/** Goes on with one store while the other is down. @throws when neither can be read. */
export async function noteOutage({ now }: { now: Instant }, deps: Notes & Pick<Ports, "litellm">): Promise<void> {
  const answer = await deps.litellm.ping();
  const copies = await readAll(deps);
  // One store may have been down for a while, so its copy may be old.
  const before = copies.map(({ note }) => note).reduce(newerNote);
  const after = afterPing(before, { at: now, hasAnswered: answer.ok });
  logChange(before, after, answer.ok ? null : answer.failure.kind, now, deps);
  const stale = copies.filter(({ note }) => !isSameNote(note, after));
  await Promise.all(
    stale.map(({ store, write }) => write(after).catch((cause: unknown) => logFailure(store, "write", cause, deps))),
  );
}

function logChange(before: OutageNote, after: OutageNote, why: string | null, now: Instant, { log }: Notes): void {
  if (before.startedAt === null && after.startedAt !== null) log.error("litellm outage began", null, { why });
  if (before.startedAt !== null && after.startedAt === null) {
    log.info("litellm outage ended", { out_seconds: Math.round((now - before.startedAt) / 1_000) });
  }
}

async function readAll(deps: Notes): Promise<(Copy & { readonly note: OutageNote })[]> {
  const read: (Copy & { note: OutageNote })[] = [];
  let lastCause: unknown = null;
  for (const copy of copiesOf(deps)) {
    try {
      read.push({ ...copy, note: await copy.read() });
    } catch (cause) {
      logFailure(copy.store, "read", cause, deps);
      lastCause = cause;
    }
  }
  if (read.length === 0) throw new Error("the outage note cannot be read", { cause: lastCause });
  return read;
}

function logFailure(store: Copy["store"], what: "read" | "write", cause: unknown, { log }: Notes): void {
  log.error(`${store} outage ${what} failed`, cause);
}

/** From KV, else from Postgres. @throws when neither can be read. */
export async function readOutage(deps: Notes): Promise<Instant | null> {
  try {
    return (await deps.snapshots.outageNote()).startedAt;
  } catch (cause) {
    logFailure("kv", "read", cause, deps);
    return (await deps.outageNotes.load()).startedAt;
  }
}

/** Starts to read the note at once; the caller limits how long it waits. Null when there is no outage. */
export function findOutage(
  { now }: { now: Instant },
  deps: Notes & Pick<Ports, "memory" | "background">,
): Promise<Instant | null> {
  const { memory, background } = deps;
  const remembered = memory.outage(now);
  if (remembered !== undefined) return Promise.resolve(remembered);
  const lookup = readOutage(deps).then((startedAt) => {
    memory.rememberOutage(startedAt, now);
    return startedAt;
  });
  background("outage read", lookup);
  return lookup;
}
