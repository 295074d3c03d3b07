// What happens when LiteLLM cannot be read: the fail policy and its time limit, what counts as an outage, and the
// circuit breaker in front of LiteLLM. Pure.

import { earliest, type Instant } from "./instant.ts";
import type { FailPolicy, TenantConfig } from "./tenant.ts";

/**
 * The fail policy that applies now. `open` becomes `closed` `failOpenMinutes` after LiteLLM's outage began, or after
 * LiteLLM first said that it has no such key or team: unmeasured spend has grown for that long. 0 means never.
 */
export function failPolicyAt(input: {
  config: Pick<TenantConfig, "failPolicy" | "subjectMissingAt"> | null;
  defaultPolicy: FailPolicy;
  outageStartedAt: Instant | null;
  failOpenMinutes: number;
  now: Instant;
}): FailPolicy {
  const { config, failOpenMinutes, now } = input;
  const policy = config?.failPolicy ?? input.defaultPolicy;
  const unmeasuredSince = earliest(input.outageStartedAt, config?.subjectMissingAt ?? null);
  if (policy === "closed" || unmeasuredSince === null || failOpenMinutes === 0) return policy;
  return now - unmeasuredSince >= failOpenMinutes * 60_000 ? "closed" : "open";
}

/** One of the sweep's pings of LiteLLM, about one a minute. */
export interface Ping {
  readonly at: Instant;
  readonly hasAnswered: boolean;
}

/** What the last pings say of LiteLLM. */
export interface OutageNote {
  /** When the outage began; null when LiteLLM is not out. */
  readonly startedAt: Instant | null;
  /** The last pings, oldest first. Of pings that have answered only those are noted that follow a failed one. */
  readonly pings: readonly Ping[];
}

export const NO_OUTAGE: OutageNote = { startedAt: null, pings: [] };

/** The last minutes: long enough to tell a service that fails now and then from one that works now and then. */
const PINGS_KEPT = 10;

/** One failed ping may be a lost packet. */
const FAILED_TO_BEGIN = 2;

/** A service that is down for hours still answers one ping now and then. */
const ANSWERED_TO_END = 3;

/**
 * The note after a further ping. An outage begins when two pings in a row fail, or most of the last ten. It ends when
 * three in a row succeed and no more than half of the last ten fail, so one good ping does not begin the bound anew.
 * The note does not change while LiteLLM answers, because KV bills each write.
 */
export function afterPing(note: OutageNote, ping: Ping): OutageNote {
  if (ping.hasAnswered && note.startedAt === null && failedOf(note.pings).length === 0) return note;
  const pings = [...note.pings, ping].slice(-PINGS_KEPT);
  const startedAt = note.startedAt === null ? beginningIn(pings) : isOver(pings) ? null : note.startedAt;
  return { startedAt, pings };
}

/** The newer of two copies of the note: the one with the later ping. A release before this one noted no pings. */
export function newerNote(a: OutageNote, b: OutageNote): OutageNote {
  return lastHeardAt(a) < lastHeardAt(b) ? b : a;
}

/** True when a copy of one note need not be written for the other. */
export function isSameNote(a: OutageNote, b: OutageNote): boolean {
  return a.startedAt === b.startedAt && a.pings.at(-1)?.at === b.pings.at(-1)?.at;
}

function lastHeardAt({ startedAt, pings }: OutageNote): Instant {
  return pings.at(-1)?.at ?? startedAt ?? 0;
}

/** Null when the pings show no outage. */
function beginningIn(pings: readonly Ping[]): Instant | null {
  const last = pings.slice(-FAILED_TO_BEGIN);
  const failed = failedOf(pings);
  const isSudden = last.length === FAILED_TO_BEGIN && failedOf(last).length === FAILED_TO_BEGIN;
  const [first] = isSudden ? last : mostFail(pings) ? failed : [];
  return first?.at ?? null;
}

function isOver(pings: readonly Ping[]): boolean {
  const last = pings.slice(-ANSWERED_TO_END);
  return last.length === ANSWERED_TO_END && failedOf(last).length === 0 && !mostFail(pings);
}

function mostFail(pings: readonly Ping[]): boolean {
  return failedOf(pings).length * 2 > PINGS_KEPT;
}

function failedOf(pings: readonly Ping[]): Ping[] {
  return pings.filter(({ hasAnswered }) => !hasAnswered);
}

export interface BreakerState {
  /** The subjects whose calls have failed since LiteLLM last answered, each with the instant of its last failure. */
  readonly failures: ReadonlyMap<string, Instant>;
  readonly openUntil: Instant;
  /** Until when no further probe is sent. */
  readonly probingUntil: Instant;
}

export const CLOSED_BREAKER: BreakerState = { failures: new Map(), openUntil: 0, probingUntil: 0 };

/**
 * LiteLLM may fail for one tenant's broken row for days. Failures of this many subjects, close to each other and with
 * no answer between them, raise the suspicion that it is down, and a probe confirms it or ends it.
 */
const SUBJECTS_TO_PROBE = 3;
const CLOSE_MS = 30_000;

/** A probe takes 2 s at most. The isolate may end with the request that sent it, and its result never arrives. */
const PROBE_MS = 5_000;

/** As long as a claim of a read lasts. */
const OPEN_MS = 5_000;

/** True while LiteLLM must not be called. After the pause calls go out again; the first failure sends a probe. */
export function isOpen(breaker: BreakerState, now: Instant): boolean {
  return now < breaker.openUntil;
}

/** Any answer shows that LiteLLM is up, a refusal and "no such key" too. */
export function afterAnswer(): BreakerState {
  return CLOSED_BREAKER;
}

export function afterFailure(breaker: BreakerState, subject: string, now: Instant): BreakerState {
  const others = [...breaker.failures].filter(([other, at]) => other !== subject && now - at < CLOSE_MS);
  return { ...breaker, failures: new Map([...others.slice(1 - SUBJECTS_TO_PROBE), [subject, now]]) };
}

/** True when the failures are of different subjects, so that a probe must show whether LiteLLM itself is down. */
export function isProbeDue(breaker: BreakerState, now: Instant): boolean {
  return isSuspicious(breaker) && now >= breaker.openUntil && now >= breaker.probingUntil;
}

export function whileProbing(breaker: BreakerState, now: Instant): BreakerState {
  return { ...breaker, probingUntil: now + PROBE_MS };
}

/** The probe opens the breaker only when no call was answered while it was under way. */
export function afterProbe(breaker: BreakerState, hasAnswered: boolean, now: Instant): BreakerState {
  if (hasAnswered || !isSuspicious(breaker)) return CLOSED_BREAKER;
  return { ...breaker, openUntil: now + OPEN_MS, probingUntil: 0 };
}

function isSuspicious({ failures }: BreakerState): boolean {
  return failures.size >= SUBJECTS_TO_PROBE;
}
