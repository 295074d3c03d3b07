// The simulator's database rows, with LiteLLM's field names, and their JSON on the wire.
// Must never compute money. Instants are ms in rows and text on the wire.

import { createHash } from "node:crypto";
import type { Body } from "../dict.ts";
import type { Behaviour } from "../profiles.ts";
import { instantText } from "../python-text.ts";
import { BUDGET_ROW, KEY_ROW, TEAM_ROW, withAdded } from "./added-fields.ts";

/** LiteLLM's name for the holder of the master key. */
export const ADMIN_USER = "default_user_id";

export const ADMIN_MEMBER = { user_id: ADMIN_USER, user_email: null, role: "admin" };

export interface BudgetRow {
  budget_id: string;
  max_budget: number | null;
  soft_budget: number | null;
  max_parallel_requests: number | null;
  tpm_limit: number | null;
  rpm_limit: number | null;
  model_max_budget: Body;
  budget_duration: string | null;
  budget_reset_at: number | null;
  created_at: number;
  created_by: string;
  updated_at: number;
  updated_by: string;
}

/** The columns that keys and teams share: those of spend and resets. */
export interface SpendRow {
  spend: number;
  max_budget: number | null;
  budget_duration: string | null;
  budget_reset_at: number | null;
  updated_at: number;
}

export interface KeyRow extends SpendRow {
  token: string;
  key_name: string;
  key_alias: string | null;
  expires: number | null;
  user_id: string | null;
  team_id: string | null;
  metadata: Body;
  blocked: boolean | null;
  budget_id: string | null;
  created_at: number;
  /** Columns of newer versions. */
  added: { total_spend: number; last_active: number | null; settings_updated_at: number | null };
  /** Columns that the simulator stores and returns, but that have no effect. */
  rest: Body;
}

export interface TeamRow extends SpendRow {
  team_id: string;
  team_alias: string | null;
  metadata: Body;
  soft_budget: number | null;
  models: unknown;
  tpm_limit: unknown;
  rpm_limit: unknown;
  blocked: boolean;
  created_at: number;
}

/** The `token` of a key: the SHA-256 hex of a raw `sk-…`. Any other text is assumed to be a hash already. */
export function keyHash(key: string): string {
  return key.startsWith("sk-") ? createHash("sha256").update(key).digest("hex") : key;
}

/** A row with its instants as text. LiteLLM writes "+00:00" in dicts that it builds, and "Z" in serialised models. */
export function onWire(row: object, zone: "+00:00" | "Z"): Body {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      isInstant(name) && typeof value === "number" ? instantText(value, zone) : value,
    ]),
  );
}

function isInstant(name: string): boolean {
  return name.endsWith("_at") || name === "expires" || name === "last_active";
}

export function emptyBudget(id: string, now: number): BudgetRow {
  return {
    budget_id: id,
    max_budget: null,
    soft_budget: null,
    max_parallel_requests: null,
    tpm_limit: null,
    rpm_limit: null,
    model_max_budget: {},
    budget_duration: null,
    budget_reset_at: null,
    created_at: now,
    created_by: ADMIN_USER,
    updated_at: now,
    updated_by: ADMIN_USER,
  };
}

export function budgetOnWire(row: BudgetRow, zone: "+00:00" | "Z", behaviour: Behaviour): Body {
  const relations = {
    organization: null,
    keys: null,
    end_users: null,
    tags: null,
    team_membership: null,
    organization_membership: null,
  };
  return withAdded({ ...onWire(row, zone), ...relations }, BUDGET_ROW, behaviour);
}

/** A full key row with its `token`. `budget`: the linked budget object where LiteLLM joins it, else null. */
export function keyOnWire(row: KeyRow, budget: BudgetRow | null, zone: "+00:00" | "Z", behaviour: Behaviour): Body {
  const { rest, added, ...columns } = row;
  const body = {
    soft_budget_cooldown: false,
    ...onWire(columns, zone),
    aliases: {},
    config: {},
    router_settings: {},
    permissions: {},
    models: [],
    max_parallel_requests: null,
    tpm_limit: null,
    rpm_limit: null,
    allowed_cache_controls: [],
    allowed_routes: [],
    policies: [],
    model_spend: {},
    model_max_budget: {},
    organization_id: null,
    ...rest,
    object_permission_id: null,
    created_by: ADMIN_USER,
    updated_by: ADMIN_USER,
    rotation_count: 0,
    auto_rotate: false,
    rotation_interval: null,
    last_rotation_at: null,
    key_rotation_at: null,
    litellm_budget_table: budget === null ? null : budgetOnWire(budget, zone, behaviour),
    litellm_organization_table: null,
    object_permission: null,
  };
  return withAdded(body, KEY_ROW, behaviour, onWire(added, zone));
}

/** A full team row, as `/team/update` and `/team/block` return it. */
export function teamOnWire(row: TeamRow, behaviour: Behaviour): Body {
  const body = {
    ...onWire(row, "Z"),
    organization_id: null,
    object_permission_id: null,
    admins: [],
    members: [],
    members_with_roles: [ADMIN_MEMBER],
    max_parallel_requests: null,
    model_spend: {},
    model_max_budget: {},
    router_settings: {},
    team_member_permissions: [],
    policies: [],
    model_id: null,
    litellm_organization_table: null,
    litellm_model_table: null,
    object_permission: null,
  };
  return withAdded(body, TEAM_ROW, behaviour);
}
