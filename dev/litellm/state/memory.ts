// The memory of one proxy process: keys and teams as read from the database, plus the spend counted since.
// LiteLLM enforces budgets by this memory, never by the database. An entry expires a fixed time after it was read.

import { DATETIME } from "../fields.ts";
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
  blocked: boolean;
  spend: number;
}

export interface TeamView {
  readonly id: string;
  readonly alias: string | null;
  readonly maxBudget: number | null;
  readonly blocked: boolean;
  readonly readAt: number;
  spend: number;
}

export function keyView(row: KeyRow, budget: BudgetRow | null, now: number): KeyView {
  const ownBudget = row.max_budget ?? budget?.max_budget ?? null;
  const increase = temporaryIncrease(row.metadata, now);
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
    blocked: row.blocked === true,
    spend: row.spend,
  };
}

export function teamView(row: TeamRow, now: number): TeamView {
  return {
    id: row.team_id,
    alias: row.team_alias,
    maxBudget: row.max_budget,
    blocked: row.blocked,
    readAt: now,
    spend: row.spend,
  };
}

/** LiteLLM (up to about 1.93) fails to compare an expiry that has a zone. The simulator reads one without as UTC. */
function temporaryIncrease(metadata: Record<string, unknown>, now: number): number | "unreadable" {
  const { temp_budget_increase: increase, temp_budget_expiry: expiry } = metadata;
  if (typeof increase !== "number" || typeof expiry !== "string") return 0;
  if (DATETIME.exec(expiry)?.[1] !== undefined) return "unreadable";
  return Date.parse(`${expiry}Z`) > now ? increase : 0;
}
