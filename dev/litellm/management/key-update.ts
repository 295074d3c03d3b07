// The route that updates a virtual key: sent fields replace stored ones, with LiteLLM's exceptions.
// Must never fail halfway: all checks run before the row changes.

import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import type { Body } from "../dict.ts";
import { bodyRuleError, type LitellmError, proxyError } from "../errors.ts";
import { DATETIME, type FieldTypes } from "../fields.ts";
import { emptyBudget, type KeyRow, keyHash, keyOnWire } from "../state/rows.ts";
import type { Store } from "../state/store.ts";
import {
  calculated,
  expiryAfter,
  KEY_FIELDS,
  PASSIVE_FIELDS,
  refuseTakenAlias,
  refuseUnknownDuration,
} from "./key-fields.ts";
import { adminRoute, type ManagementCall, refuseNegative } from "./management.ts";

const FIELDS: FieldTypes = {
  ...KEY_FIELDS,
  key: "string!",
  soft_budget: "number",
  temp_budget_increase: "number",
  temp_budget_expiry: "datetime",
};

/** Columns that are copied without conversion, and that a null clears. */
const CLEARABLE = ["key_alias", "max_budget", "user_id", "team_id", "budget_id", "blocked"] as const;

export function keyUpdate(store: Store): Hono {
  const app = new Hono();
  app.post("/key/update", adminRoute(store, FIELDS, updateKey));
  return app;
}

/** Where LiteLLM's update has no soft_budget field, it is dropped like any other unknown field. */
function updateKey({ body, now }: ManagementCall, store: Store): Body {
  refuseHalfIncrease(body);
  const { behaviour } = store.settings;
  refuseUnknownDuration(body, "auth_error", behaviour);
  refuseNegative(body, ["max_budget"], "auth_error", behaviour);
  const key = String(body["key"]);
  const row = store.keys.get(keyHash(key));
  if (row === undefined) throw unknownKey(key, store);
  const changes = changesOf(row, body, store, now);
  refuseTakenAlias(store, body["key_alias"], row.token);
  Object.assign(row, changes, { updated_at: now });
  row.added.settings_updated_at = now;
  if (behaviour.updatesSoftBudget && "soft_budget" in body) setSoftBudget(row, body, store, now);
  if (typeof body["spend"] === "number") store.forgetKey(row.token);
  else store.readKeyAgain(row.token);
  return { key, ...keyOnWire(row, null, "+00:00", behaviour) };
}

/** The soft budget stands in the key's budget object, which is created when there is none. */
function setSoftBudget(row: KeyRow, body: Body, store: Store, now: number): void {
  const budget = store.budgetOf(row) ?? emptyBudget(randomUUID(), now);
  budget.soft_budget = typeof body["soft_budget"] === "number" ? body["soft_budget"] : null;
  budget.updated_at = now;
  store.budgets.set(budget.budget_id, budget);
  row.budget_id = budget.budget_id;
}

function refuseHalfIncrease(body: Body): void {
  const { temp_budget_increase: increase, temp_budget_expiry: expiry } = body;
  if ((increase ?? null) === null && (expiry ?? null) === null) return;
  if (increase == null || expiry == null) {
    throw bodyRuleError("temp_budget_increase and temp_budget_expiry must be set together", body);
  }
}

function changesOf(row: KeyRow, body: Body, store: Store, now: number): Body {
  const changes: Body = { metadata: metadataAfter(row, body) };
  for (const name of CLEARABLE) if (name in body) changes[name] = body[name];
  if (typeof body["spend"] === "number") changes["spend"] = body["spend"];
  const passive = Object.entries(body).filter(([name, value]) => name in PASSIVE_FIELDS && value !== null);
  if (passive.length > 0) changes["rest"] = { ...row.rest, ...Object.fromEntries(passive) };
  const { budget_duration: duration, duration: lifetime } = body;
  if (typeof duration === "string" && duration !== "") {
    changes["budget_duration"] = duration;
    changes["budget_reset_at"] = calculated(() => store.windowEnd(duration), failed);
  }
  if (duration === null && store.settings.behaviour.clearsDurations) {
    Object.assign(changes, { budget_duration: null, budget_reset_at: null });
  }
  if (lifetime === "-1") changes["expires"] = null;
  else if (typeof lifetime === "string" && lifetime !== "") {
    changes["expires"] = calculated(() => expiryAfter(lifetime, now), failed);
  }
  return changes;
}

/** Sent metadata replaces the stored metadata, including a stored increase. A sent increase is added to the result. */
function metadataAfter(row: KeyRow, body: Body): Body {
  const metadata = "metadata" in body ? ((body["metadata"] as Body | null) ?? {}) : row.metadata;
  if (typeof body["temp_budget_increase"] !== "number") return metadata;
  return {
    ...metadata,
    temp_budget_increase: body["temp_budget_increase"],
    temp_budget_expiry: isoText(String(body["temp_budget_expiry"])),
  };
}

function isoText(sent: string): string {
  if (!sent.includes(":")) return `${sent}T00:00:00`;
  const zone = DATETIME.exec(sent)?.[1];
  return sent.replace(" ", "T").replace(/Z$/, zone === undefined ? "" : "+00:00");
}

function unknownKey(key: string, store: Store): LitellmError {
  if (store.settings.behaviour.unknownKeyStatus === 404) {
    return proxyError(404, "not_found_error", "Key not found.", "key");
  }
  const message = `Authentication Error: invalid user key - user key does not exist in db. User Key=${key}`;
  return proxyError(401, "auth_error", message);
}

/** An unsupported duration fails the whole request. */
function failed(message: string): LitellmError {
  return proxyError(400, "auth_error", `Authentication Error, ${message}`);
}
