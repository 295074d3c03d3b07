// The memory of one proxy process: keys and teams as read from the database, plus the spend counted since.
// LiteLLM enforces budgets by this memory, never by the database. An entry expires a fixed time after it was read.

import { DATETIME } from "../fields.ts";
import type { Behaviour } from "../profiles.ts";
import type { BudgetRow, KeyRow, TeamRow } from "./rows.ts";

export interface KeyView {
  readonly hash: string;
  readonly name: string;
  readonly alias: string | null;
  readonly userId: string | null;
  readonly teamId: string | null;
  readonly metadata: Record<string, unknown>;
  readonly expires: number | null;
  /** The key's own, else its budget object's, plus a temporary increase. */
  readonly maxBudget: number | null;
  readonly softBudget: number | null;
  readonly resetsAt: number | null;
  /** The expiry of the key's temporary increase has a zone, which this version cannot compare. */
  readonly hasUnreadableExpiry: boolean;
  readonly readAt: number;
  usedAt: number;
  /** The spend in the database when the key was read. Newer versions show it beside a call instead of `spend`. */
  readonly rowSpend: number;
  blocked: boolean;
  spend: number;
  /** What the calls in flight may cost at most, in versions that reserve it. */
  reserved: number;
}

export interface TeamView {
  readonly id: string;
  readonly alias: string | null;
  readonly maxBudget: number | null;
  readonly blocked: boolean;
  readonly readAt: number;
  usedAt: number;
  /** The spend in the database when the team was read. */
  readonly rowSpend: number;
  spend: number;
  /** What the calls in flight may cost at most, in versions that reserve it. */
  reserved: number;
}

export function keyView(row: KeyRow, budget: BudgetRow | null, now: number, behaviour: Behaviour): KeyView {
  const ownBudget = row.max_budget ?? budget?.max_budget ?? null;
  const increase = temporaryIncrease(row.metadata, now, behaviour.readsZonedExpiry);
  return {
    hash: row.token,
    name: row.key_name,
    alias: row.key_alias,
    userId: row.user_id,
    teamId: row.team_id,
    metadata: row.metadata,
    expires: row.expires,
    maxBudget: ownBudget === null || increase === "unreadable" ? ownBudget : ownBudget + increase,
    softBudget: budget?.soft_budget ?? null,
    resetsAt: row.budget_reset_at,
    hasUnreadableExpiry: ownBudget !== null && increase === "unreadable",
    readAt: now,
    usedAt: now,
    blocked: row.blocked === true,
    spend: row.spend,
    rowSpend: row.spend,
    reserved: 0,
  };
}

export function teamView(row: TeamRow, now: number): TeamView {
  return {
    id: row.team_id,
    alias: row.team_alias,
    maxBudget: row.max_budget,
    blocked: row.blocked,
    readAt: now,
    usedAt: now,
    rowSpend: row.spend,
    spend: row.spend,
    reserved: 0,
  };
}

/** LiteLLM (up to about 1.93) fails to compare an expiry that has a zone. The simulator reads one without as UTC. */
function temporaryIncrease(metadata: Record<string, unknown>, now: number, readsZoned: boolean): number | "unreadable" {
  const { temp_budget_increase: increase, temp_budget_expiry: expiry } = metadata;
  if (typeof increase !== "number" || typeof expiry !== "string") return 0;
  const hasZone = DATETIME.exec(expiry)?.[1] !== undefined;
  if (hasZone && !readsZoned) return "unreadable";
  return Date.parse(hasZone ? expiry : `${expiry}Z`) > now ? increase : 0;
}
