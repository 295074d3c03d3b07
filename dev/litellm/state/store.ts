// The simulator's state: database rows, the proxy's memory, and the spend that is not written to the database yet.
// Sums money in doubles, as LiteLLM does. Has no timers: the next access performs the work that has become due.

import type { Settings } from "../settings.ts";
import { CountsApart } from "./counts-apart.ts";
import { windowEnd } from "./durations.ts";
import { type KeyView, keyView, type TeamView, teamView } from "./memory.ts";
import { type BudgetRow, type KeyRow, keyHash, type SpendRow, type TeamRow } from "./rows.ts";

/** A key that newer versions still show. */
export interface DeletedKey {
  readonly row: KeyRow;
  readonly deletedAt: number;
}

/** Spend that is counted in memory but not written to the database yet. */
interface Batch {
  dueAt: number;
  byKey: Map<string, number>;
  byTeam: Map<string, number>;
}

export class Store {
  readonly settings: Settings;
  readonly keys = new Map<string, KeyRow>();
  /** Empty where LiteLLM forgets deleted keys. */
  readonly deletedKeys = new Map<string, DeletedKey>();
  readonly teams = new Map<string, TeamRow>();
  readonly budgets = new Map<string, BudgetRow>();
  /** USD that LiteLLM holds back for calls in flight, by key hash. */
  readonly reservations = new Map<string, number>();
  readonly #keyViews = new Map<string, KeyView>();
  readonly #teamViews = new Map<string, TeamView>();
  /** Counts that outlive the row they were read with, in versions that count apart from the row. */
  readonly #counts = new CountsApart();
  readonly #startedAt: number;
  /** No period ends before this instant. May be too early after a key's deletion or a new window; never too late. */
  #firstEnd = Number.POSITIVE_INFINITY;
  #batch: Batch | null = null;

  constructor(settings: Settings) {
    this.settings = settings;
    this.#startedAt = settings.now();
  }

  now(): number {
    return this.settings.now();
  }

  /** The end of the window that contains `now`. Every `budget_reset_at` of a key or team must come from this method. */
  windowEnd(duration: string, now = this.now()): number {
    const end = windowEnd(duration, now, this.settings.behaviour.knowsWeeks);
    this.#firstEnd = Math.min(this.#firstEnd, end);
    return end;
  }

  budgetOf(row: KeyRow): BudgetRow | null {
    return (row.budget_id === null ? undefined : this.budgets.get(row.budget_id)) ?? null;
  }

  /** Performs all writes and resets that are due, in the order of their due times. Call before reading rows. */
  settle(): void {
    const now = this.now();
    for (;;) {
      const writeAt = this.#batch?.dueAt ?? Number.POSITIVE_INFINITY;
      const resetAt = this.#nextResetRun();
      if (Math.min(writeAt, resetAt) > now) return;
      if (writeAt <= resetAt) this.#writeBatch(writeAt);
      else this.#resetDue(resetAt);
    }
  }

  /** The key in the proxy's memory. Reads it from the database when memory has no entry or an expired one. */
  viewKey(hash: string): KeyView | null {
    this.settle();
    const now = this.now();
    const held = this.#keyViews.get(hash);
    if (held !== undefined && now - held.readAt < this.settings.cacheTtlMs) return used(held, now);
    this.readKeyAgain(hash);
    const row = this.keys.get(hash);
    if (row === undefined) return null;
    const view = keyView(row, this.budgetOf(row), now, this.settings.behaviour);
    this.#counts.resume(hash, view, now - this.settings.cacheTtlMs);
    this.#keyViews.set(hash, view);
    return view;
  }

  viewTeam(id: string | null): TeamView | null {
    this.settle();
    const now = this.now();
    const held = id === null ? undefined : this.#teamViews.get(id);
    if (held !== undefined && now - held.readAt < this.settings.cacheTtlMs) return used(held, now);
    if (id !== null) this.readTeamAgain(id);
    const row = id === null ? undefined : this.teams.get(id);
    if (row === undefined) return null;
    const view = teamView(row, now);
    this.#counts.resume(row.team_id, view, now - this.settings.cacheTtlMs);
    this.#teamViews.set(row.team_id, view);
    return view;
  }

  deleteKey(row: KeyRow): void {
    this.keys.delete(row.token);
    this.readKeyAgain(row.token);
    if (this.settings.behaviour.showsDeletedKeys) this.deletedKeys.set(row.token, { row, deletedAt: this.now() });
  }

  /** Removes a key from memory, with its unwritten spend there. */
  forgetKey(hash: string): void {
    this.#keyViews.delete(hash);
    this.#counts.forget(hash);
  }

  forgetTeam(id: string): void {
    this.#teamViews.delete(id);
    this.#counts.forget(id);
  }

  /** LiteLLM reads a key again after each change. Versions that count apart from the row go on with their count. */
  readKeyAgain(hash: string): void {
    if (this.settings.behaviour.countsApart) this.#counts.keep(hash, this.#keyViews.get(hash));
    this.#keyViews.delete(hash);
  }

  readTeamAgain(id: string): void {
    if (this.settings.behaviour.countsApart) this.#counts.keep(id, this.#teamViews.get(id));
    this.#teamViews.delete(id);
  }

  /** Adds the cost of a call to memory at once, and to the database later. */
  charge(hash: string | null, teamId: string | null, cost: number): void {
    this.settle();
    const key = hash === null ? undefined : this.#keyViews.get(hash);
    if (key !== undefined) key.spend += cost;
    const team = teamId === null ? undefined : this.#teamViews.get(teamId);
    if (team !== undefined) team.spend += cost;
    this.#batch ??= { dueAt: this.now() + this.settings.databaseDelayMs(), byKey: new Map(), byTeam: new Map() };
    if (hash !== null) addTo(this.#batch.byKey, hash, cost);
    if (teamId !== null) addTo(this.#batch.byTeam, teamId, cost);
    this.settle();
  }

  /** Adds spend to a key (and its team) or a team, like calls of this cost. */
  spend(subject: string, usd: number): void {
    const { key, team } = this.#subject(subject);
    const teamId = team?.team_id ?? key?.team_id ?? null;
    if (key !== null) this.viewKey(key.token);
    this.viewTeam(teamId);
    this.charge(key?.token ?? null, teamId, usd);
  }

  /** Sets the spend of a key or team in memory and database, and drops its unwritten spend. */
  setSpend(subject: string, usd: number): void {
    this.settle();
    const { key, team } = this.#subject(subject);
    for (const row of [key, team]) if (row !== null) row.spend = usd;
    if (key !== null) {
      this.#batch?.byKey.delete(key.token);
      this.forgetKey(key.token);
    }
    if (team !== null) {
      this.#batch?.byTeam.delete(team.team_id);
      this.forgetTeam(team.team_id);
    }
  }

  /** Holds back `usd` of a key for calls in flight, until it is set to 0. */
  reserve(key: string, usd: number): void {
    this.reservations.set(keyHash(key), usd);
  }

  /** Writes the unwritten spend to the database now. */
  flushSpend(): void {
    this.settle();
    this.#writeBatch(this.now());
  }

  /** Runs the reset job now, independently of its interval. */
  runResetJob(): void {
    this.settle();
    this.#resetDue(this.now());
  }

  #subject(subject: string): { key: KeyRow | null; team: TeamRow | null } {
    const key = this.keys.get(keyHash(subject)) ?? null;
    const team = this.teams.get(subject) ?? null;
    if (key === null && team === null) throw new Error("no such key or team");
    return { key, team };
  }

  #writeBatch(at: number): void {
    const batch = this.#batch;
    this.#batch = null;
    for (const [hash, cost] of batch?.byKey ?? []) {
      const row = this.keys.get(hash);
      addSpend(row, cost, at);
      if (row !== undefined) row.added = { ...row.added, total_spend: row.added.total_spend + cost, last_active: at };
    }
    for (const [id, cost] of batch?.byTeam ?? []) addSpend(this.teams.get(id), cost, at);
  }

  /** The first run of the job that can find an ended period. Earlier runs would find nothing, so they are skipped. */
  #nextResetRun(): number {
    const every = this.settings.resetCheckMs;
    if (this.#firstEnd === Number.POSITIVE_INFINITY || every === Number.POSITIVE_INFINITY)
      return Number.POSITIVE_INFINITY;
    const earliest = this.#firstEnd + 1;
    return every <= 0 ? earliest : this.#startedAt + Math.ceil((earliest - this.#startedAt) / every) * every;
  }

  /** Unwritten spend is added to the new period later. Older versions reset the database only, and not their memory. */
  #resetDue(at: number): void {
    const { jobResetsAtOnce } = this.settings.behaviour;
    this.#firstEnd = Number.POSITIVE_INFINITY;
    for (const [hash, row] of this.keys) if (this.#resetIfDue(row, at) && jobResetsAtOnce) this.forgetKey(hash);
    for (const [id, row] of this.teams) if (this.#resetIfDue(row, at) && jobResetsAtOnce) this.forgetTeam(id);
  }

  /** False: the period has not ended. */
  #resetIfDue(row: SpendRow, at: number): boolean {
    const { budget_reset_at: end, budget_duration: duration } = row;
    if (end === null || duration === null) return false;
    if (end >= at) {
      this.#firstEnd = Math.min(this.#firstEnd, end);
      return false;
    }
    row.spend = 0;
    row.updated_at = at;
    row.budget_reset_at = this.windowEnd(duration, at);
    return true;
  }
}

function used<V extends { usedAt: number }>(view: V, now: number): V {
  view.usedAt = now;
  return view;
}

function addTo(sums: Map<string, number>, id: string, cost: number): void {
  sums.set(id, (sums.get(id) ?? 0) + cost);
}

function addSpend(row: SpendRow | undefined, cost: number, at: number): void {
  if (row === undefined) return;
  row.spend += cost;
  row.updated_at = at;
}
