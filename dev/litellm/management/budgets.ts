// Budget objects. They hold a key's soft budget, or a limit that several keys share.
// A change takes effect on a key only when the proxy next reads that key into memory.

import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import type { Body } from "../dict.ts";
import { crash, detailError } from "../errors.ts";
import type { FieldTypes } from "../fields.ts";
import { plainLength } from "../state/durations.ts";
import { budgetOnWire, emptyBudget } from "../state/rows.ts";
import type { Store } from "../state/store.ts";
import { calculated, unknownDuration } from "./key-fields.ts";
import { adminRoute, type ManagementCall, negativeBudget } from "./management.ts";

const FIELDS: FieldTypes = {
  budget_id: "string",
  max_budget: "number",
  soft_budget: "number",
  max_parallel_requests: "number",
  tpm_limit: "number",
  rpm_limit: "number",
  budget_duration: "string",
  model_max_budget: "dict",
};

export function budgetRoutes(store: Store): Hono {
  const app = new Hono();
  app.post("/budget/new", adminRoute(store, FIELDS, newBudget));
  app.post("/budget/update", adminRoute(store, FIELDS, updateBudget));
  app.post("/budget/info", adminRoute(store, { budgets: "list!" }, budgetInfo));
  return app;
}

/** In 1.81 the window starts now and is not aligned to the calendar, unlike a key's. */
function newBudget({ body, now }: ManagementCall, store: Store): Body {
  refuseBadBudget(body, store);
  const id = typeof body["budget_id"] === "string" ? body["budget_id"] : randomUUID();
  if (store.budgets.has(id)) throw crash();
  const duration = body["budget_duration"];
  const endOf = (text: string) =>
    store.settings.behaviour.alignsBudgetObjects ? store.windowEnd(text, now) : now + plainLength(text, now);
  const row = {
    ...emptyBudget(id, now),
    ...Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)),
    budget_id: id,
    budget_reset_at: typeof duration === "string" ? calculated(() => endOf(duration), crash) : null,
  };
  store.budgets.set(id, row);
  return budgetOnWire(row, "Z", store.settings.behaviour);
}

/** A null clears a field. For a budget that does not exist LiteLLM answers null instead of an error. */
function updateBudget({ body, now }: ManagementCall, store: Store): Body | null {
  if (typeof body["budget_id"] !== "string") throw detailError(400, "budget_id is required");
  refuseBadBudget(body, store);
  const row = store.budgets.get(body["budget_id"]);
  if (row === undefined) return null;
  const { budget_duration: duration } = body;
  if (store.settings.behaviour.clearsDurations && duration !== undefined) {
    row.budget_reset_at = typeof duration === "string" ? store.windowEnd(duration, now) : null;
  }
  Object.assign(row, body, { updated_at: now });
  return budgetOnWire(row, "Z", store.settings.behaviour);
}

function budgetInfo({ body }: ManagementCall, store: Store): Body[] {
  const ids = body["budgets"] as unknown[];
  if (ids.length === 0) throw detailError(400, "Specify list of budget id's to query. Passed in=[]");
  return [...store.budgets.values()]
    .filter((row) => ids.includes(row.budget_id))
    .map((row) => budgetOnWire(row, "Z", store.settings.behaviour));
}

/** These routes do not convert their errors, unlike those of keys and teams. */
function refuseBadBudget(body: Body, { settings: { behaviour } }: Store): void {
  const message = unknownDuration(body, behaviour) ?? negativeBudget(body, ["max_budget", "soft_budget"], behaviour);
  if (message !== null) throw detailError(400, message);
}
