// The routes for teams, whose keys share one spend and one budget.
// Each change removes the team from the proxy's memory, except blocking, which the proxy sees at its next read.

import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import type { Body } from "../dict.ts";
import { detailError, type LitellmError, proxyError, stringifiedError } from "../errors.ts";
import type { FieldTypes } from "../fields.ts";
import type { Behaviour } from "../profiles.ts";
import { floatText } from "../python-text.ts";
import { TEAM_INFO, withAdded } from "../state/added-fields.ts";
import { ADMIN_MEMBER, ADMIN_USER, keyOnWire, type TeamRow, teamOnWire } from "../state/rows.ts";
import type { Store } from "../state/store.ts";
import { calculated, refuseUnknownDuration } from "./key-fields.ts";
import { adminRoute, infoRoute, type ManagementCall, refuseNegative } from "./management.ts";

const FIELDS: FieldTypes = {
  team_alias: "string",
  max_budget: "number",
  soft_budget: "number",
  budget_duration: "string",
  metadata: "dict",
  models: "list",
  tpm_limit: "number",
  rpm_limit: "number",
  blocked: "boolean",
};
const ONE_TEAM: FieldTypes = { team_id: "string!" };

export function teamRoutes(store: Store): Hono {
  const app = new Hono();
  app.post("/team/new", adminRoute(store, { ...FIELDS, team_id: "string" }, newTeam));
  app.get("/team/info", infoRoute(store, null, teamInfo));
  app.get("/team/list", infoRoute(store, null, listTeams));
  app.post("/team/update", adminRoute(store, { ...FIELDS, ...ONE_TEAM }, updateTeam));
  app.post("/team/delete", adminRoute(store, { team_ids: "list!" }, deleteTeams));
  app.post("/team/block", adminRoute(store, ONE_TEAM, setBlocked(true)));
  app.post("/team/unblock", adminRoute(store, ONE_TEAM, setBlocked(false)));
  return app;
}

function newTeam({ body, now }: ManagementCall, store: Store): Body {
  const { behaviour } = store.settings;
  refuseNegative(body, ["max_budget", "soft_budget"], "internal_server_error", behaviour);
  refuseUnknownDuration(body, "internal_server_error", behaviour);
  refuseSoftAboveMax(body["soft_budget"], body["max_budget"]);
  const id = typeof body["team_id"] === "string" ? body["team_id"] : randomUUID();
  if (store.teams.has(id)) {
    const message = `Team id = ${id} already exists. Please use a different team id.`;
    throw stringifiedError(400, "internal_server_error", message);
  }
  const emptyRow: TeamRow = {
    team_id: id,
    team_alias: null,
    metadata: {},
    spend: 0,
    max_budget: null,
    soft_budget: null,
    budget_duration: null,
    budget_reset_at: null,
    models: [],
    tpm_limit: null,
    rpm_limit: null,
    blocked: false,
    created_at: now,
    updated_at: now,
  };
  const sent = Object.entries(body).filter(([, value]) => value !== null);
  const row = { ...emptyRow, ...Object.fromEntries(sent), team_id: id, ...windowOf(body, store) };
  store.teams.set(id, row);
  return shownTeam(row, behaviour);
}

function teamInfo({ caller, param }: ManagementCall, store: Store): Body {
  const id = param("team_id");
  if (id === undefined)
    throw stringifiedError(422, "auth_error", "Malformed request. No team id passed in.", "message");
  const row = store.teams.get(id);
  if (row === undefined) throw stringifiedError(404, "auth_error", `Team not found, passed team id: ${id}.`, "message");
  if (caller.kind === "key" && caller.key.teamId !== id) {
    const message = `API key not authorized to access this team=${id}. No user_id or team_id associated with this key.`;
    throw stringifiedError(403, "auth_error", message);
  }
  const { behaviour } = store.settings;
  const keys = [...store.keys.values()].filter((key) => key.team_id === id);
  const info: Body = { ...shownTeam(row, behaviour), team_member_budget_table: null };
  if (behaviour.release === 110) info["members_with_roles"] = [{ ...ADMIN_MEMBER, user_alias: null }];
  return {
    team_id: id,
    team_info: withAdded(info, TEAM_INFO, behaviour),
    keys: keys.map((key) => keyOnWire(key, store.budgetOf(key), "Z", behaviour)),
    team_memberships: behaviour.release < 110 ? [] : [adminMembership(id)],
  };
}

/** In the simulator the holder of the master key is the only member of every team. */
function adminMembership(teamId: string): Body {
  const budget = { budget_id: null, litellm_budget_table: null, budget_source: "none" };
  return { user_id: ADMIN_USER, team_id: teamId, spend: 0, total_spend: 0, ...budget };
}

/** Returns all teams without paging, sorted by alias; teams without an alias come first. */
function listTeams({ caller, param }: ManagementCall, store: Store): Body[] {
  if (caller.kind === "key") {
    throw detailError(401, "Only admin users can query all teams/other teams. Your user role=None");
  }
  const user = param("user_id");
  const teams = user === undefined || user === ADMIN_USER ? [...store.teams.values()] : [];
  teams.sort((a, b) => ((a.team_alias ?? "") < (b.team_alias ?? "") ? -1 : 1));
  const { behaviour } = store.settings;
  const keys = [...store.keys.values()];
  return teams.map((row) => ({
    ...shownTeam(row, behaviour),
    team_memberships: [],
    keys: keys.filter(({ team_id }) => team_id === row.team_id).map((key) => keyOnWire(key, null, "Z", behaviour)),
  }));
}

function updateTeam({ body, now }: ManagementCall, store: Store): Body {
  const { behaviour } = store.settings;
  refuseNegative(body, ["max_budget", "soft_budget"], "internal_server_error", behaviour);
  refuseUnknownDuration(body, "internal_server_error", behaviour);
  const id = String(body["team_id"]);
  const row = store.teams.get(id);
  if (row === undefined) {
    throw stringifiedError(404, "internal_server_error", `Team not found, passed team_id=${id}`);
  }
  refuseSoftAboveMax(body["soft_budget"] ?? row.soft_budget, body["max_budget"] ?? row.max_budget);
  Object.assign(row, body, windowOf(body, store), { updated_at: now });
  store.readTeamAgain(id);
  return { team_id: id, data: teamOnWire(row, behaviour) };
}

/** Also deletes the keys of the teams. */
function deleteTeams({ body }: ManagementCall, store: Store): Body {
  const ids = (body["team_ids"] as unknown[]).map(String);
  for (const id of ids) if (!store.teams.has(id)) throw teamNotFound(id);
  for (const row of [...store.keys.values()]) {
    if (row.team_id === null || !ids.includes(row.team_id)) continue;
    store.deleteKey(row);
  }
  for (const id of ids) {
    store.teams.delete(id);
    store.forgetTeam(id);
  }
  return { deleted_teams: ids };
}

const setBlocked =
  (blocked: boolean) =>
  ({ body, now }: ManagementCall, store: Store): Body => {
    const id = String(body["team_id"]);
    const row = store.teams.get(id);
    if (row === undefined) throw teamNotFound(id);
    row.blocked = blocked;
    row.updated_at = now;
    return teamOnWire(row, store.settings.behaviour);
  };

function windowOf(body: Body, store: Store): { budget_reset_at?: number | null } {
  const duration = body["budget_duration"];
  if (duration === null && store.settings.behaviour.clearsDurations) return { budget_reset_at: null };
  if (typeof duration !== "string") return {};
  return { budget_reset_at: calculated(() => store.windowEnd(duration), failed) };
}

function refuseSoftAboveMax(soft: unknown, max: unknown): void {
  if (typeof soft !== "number" || typeof max !== "number" || soft < max) return;
  const message = `soft_budget (${floatText(soft)}) must be strictly lower than max_budget (${floatText(max)})`;
  throw stringifiedError(400, "internal_server_error", message);
}

/** A team without the columns that LiteLLM leaves out of this response. */
function shownTeam(row: TeamRow, behaviour: Behaviour): Body {
  const hidden = ["litellm_organization_table", "projects"];
  if (behaviour.release < 110) hidden.push("model_spend", "model_max_budget", "policies");
  return Object.fromEntries(Object.entries(teamOnWire(row, behaviour)).filter(([name]) => !hidden.includes(name)));
}

function teamNotFound(id: string): LitellmError {
  return detailError(404, `Team not found, passed team_id=${id}`);
}

/** An unsupported duration fails the whole request. */
function failed(message: string): LitellmError {
  return proxyError(500, "internal_server_error", `Internal Server Error, ${message}`);
}
