// The route that generates virtual keys, and the budget object for a key with a soft budget.
// Must never change an existing key: generating the same key again leaves it unchanged.

import { randomBytes, randomUUID } from "node:crypto";
import { Hono } from "hono";
import type { Body } from "../dict.ts";
import { type LitellmError, proxyError, stringifiedError } from "../errors.ts";
import type { FieldTypes } from "../fields.ts";
import { type BudgetRow, emptyBudget, type KeyRow, keyHash } from "../state/rows.ts";
import type { Store } from "../state/store.ts";
import { generatedKeyOnWire } from "./key-answers.ts";
import {
  calculated,
  expiryAfter,
  KEY_FIELDS,
  PASSIVE_FIELDS,
  refuseTakenAlias,
  refuseUnknownDuration,
} from "./key-fields.ts";
import { adminRoute, type ManagementCall, refuseNegative } from "./management.ts";

const FIELDS: FieldTypes = { ...KEY_FIELDS, key: "string", soft_budget: "number", organization_id: "string" };

export function keyCreation(store: Store): Hono {
  const app = new Hono();
  app.post("/key/generate", adminRoute(store, FIELDS, generateKey));
  return app;
}

/** Generating an existing key again changes nothing, but the response still echoes the requested fields. */
function generateKey({ body, now }: ManagementCall, store: Store): Body {
  const { behaviour } = store.settings;
  refuseNegative(body, ["max_budget", "soft_budget"], "internal_server_error", behaviour);
  refuseUnknownDuration(body, "internal_server_error", behaviour);
  const budget =
    typeof body["soft_budget"] === "number"
      ? { ...emptyBudget(randomUUID(), now), soft_budget: body["soft_budget"] }
      : null;
  refuseTakenAlias(store, body["key_alias"]);
  const key = typeof body["key"] === "string" ? body["key"] : `sk-${randomBytes(16).toString("base64url")}`;
  if (!key.startsWith("sk-")) {
    const message = `Invalid key format. LiteLLM Virtual Key must start with 'sk-'. Received: ${key}`;
    throw stringifiedError(400, "internal_server_error", message);
  }
  const row = newKeyRow(key, body, budget, store);
  if (row.budget_id !== null && budget === null && !store.budgets.has(row.budget_id)) {
    throw stringifiedError(500, "internal_server_error", "Internal Server Error.");
  }
  if (budget !== null) store.budgets.set(budget.budget_id, budget);
  const stored = store.keys.get(row.token) ?? row;
  store.keys.set(stored.token, stored);
  return generatedKeyOnWire(key, row, stored, store.budgetOf(stored), behaviour);
}

function newKeyRow(key: string, body: Body, budget: BudgetRow | null, store: Store): KeyRow {
  const now = store.now();
  const duration = body["budget_duration"];
  const lifetime = body["duration"];
  const rest = Object.entries(body).filter(([name, value]) => name in PASSIVE_FIELDS && value !== null);
  return {
    token: keyHash(key),
    key_name: `sk-...${key.slice(-4)}`,
    key_alias: text(body["key_alias"]),
    spend: number(body["spend"]) ?? 0,
    expires: typeof lifetime === "string" ? calculated(() => expiryAfter(lifetime, now), failed) : null,
    user_id: text(body["user_id"]),
    team_id: text(body["team_id"]),
    metadata: (body["metadata"] as Body | null | undefined) ?? {},
    blocked: (body["blocked"] as boolean | null | undefined) ?? null,
    max_budget: number(body["max_budget"]),
    budget_duration: text(duration),
    budget_reset_at: typeof duration === "string" ? calculated(() => store.windowEnd(duration), failed) : null,
    budget_id: budget?.budget_id ?? text(body["budget_id"]),
    created_at: now,
    updated_at: now,
    added: { total_spend: 0, last_active: null, settings_updated_at: null },
    rest: Object.fromEntries(rest),
  };
}

/** An unsupported duration fails the whole request. */
function failed(message: string): LitellmError {
  return proxyError(500, "internal_server_error", `Internal Server Error, ${message}`);
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}
