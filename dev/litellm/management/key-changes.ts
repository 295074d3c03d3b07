// Routes that change virtual keys: reset of spend, block, unblock, delete.
// Each change removes the key from the proxy's memory, except blocking, which updates it there.

import { Hono } from "hono";
import type { Body } from "../dict.ts";
import { bodyRuleError, detailError, type LitellmError, proxyError, stringifiedError } from "../errors.ts";
import type { FieldTypes } from "../fields.ts";
import { floatText, instantText } from "../python-text.ts";
import { keyHash, keyOnWire } from "../state/rows.ts";
import type { Store } from "../state/store.ts";
import { blockedKeyOnWire } from "./key-answers.ts";
import { adminRoute, type ManagementCall } from "./management.ts";

const ONE_KEY: FieldTypes = { key: "string!" };
const SEVERAL_KEYS: FieldTypes = { keys: "list", key_aliases: "list" };

export function keyChanges(store: Store): Hono {
  const app = new Hono();
  app.post("/key/:key/reset_spend", adminRoute(store, { reset_to: "number!" }, resetSpend));
  app.post("/key/delete", adminRoute(store, SEVERAL_KEYS, deleteKeys));
  app.post("/key/block", adminRoute(store, ONE_KEY, setBlocked(true)));
  app.post("/key/unblock", adminRoute(store, ONE_KEY, setBlocked(false)));
  return app;
}

/** Resets the spend in the database only. Spend that is not written yet is added later. */
function resetSpend({ body, param }: ManagementCall, store: Store): Body {
  const key = param("key") ?? "";
  const row = store.keys.get(keyHash(key));
  if (row === undefined) throw detailError(404, `Key ${key} not found.`);
  const resetTo = Number(body["reset_to"]);
  const maxBudget = Math.min(row.max_budget ?? Infinity, store.budgetOf(row)?.max_budget ?? Infinity);
  if (resetTo < 0) throw detailError(400, "reset_to must be >= 0");
  if (resetTo > row.spend) throw tooHigh(resetTo, "current spend", row.spend);
  if (resetTo > maxBudget) throw tooHigh(resetTo, "budget", maxBudget);
  const before = row.spend;
  row.spend = resetTo;
  row.updated_at = store.now();
  row.added.settings_updated_at = row.updated_at;
  if (store.settings.behaviour.resetsAtOnce) store.forgetKey(row.token);
  return {
    key_hash: row.token,
    spend: resetTo,
    previous_spend: before,
    max_budget: row.max_budget,
    budget_reset_at: row.budget_reset_at === null ? null : instantText(row.budget_reset_at, "Z"),
  };
}

function tooHigh(resetTo: number, what: string, max: number): LitellmError {
  return detailError(400, `reset_to (${floatText(resetTo)}) must be <= ${what} (${floatText(max)})`);
}

/** If at least one of the keys exists, echoes the request's list, including raw keys. */
function deleteKeys({ body }: ManagementCall, store: Store): Body {
  const { keys, key_aliases: aliases } = body;
  const byKey = Array.isArray(keys) && keys.length > 0;
  if (!byKey && !(Array.isArray(aliases) && aliases.length > 0)) {
    throw bodyRuleError("At least one of 'keys' or 'key_aliases' must be provided.", body);
  }
  const sent = (byKey ? keys : aliases) as unknown[];
  const hashes = new Set(sent.map((one) => keyHash(String(one))));
  const rows = [...store.keys.values()].filter((row) =>
    byKey ? hashes.has(row.token) : row.key_alias !== null && sent.includes(row.key_alias),
  );
  if (rows.length === 0) throw stringifiedError(404, "internal_server_error", "No keys found");
  for (const row of rows) store.deleteKey(row);
  return { deleted_keys: sent };
}

const setBlocked =
  (blocked: boolean) =>
  ({ body }: ManagementCall, store: Store): Body => {
    const key = String(body["key"]);
    if (!/^(sk-[A-Za-z0-9_-]+|[a-fA-F0-9]{64})$/.test(key) || key.length > 100) {
      throw proxyError(400, "bad_request_error", "Invalid key format.", "key");
    }
    const hash = keyHash(key);
    const row = store.keys.get(hash);
    if (row === undefined) throw keyNotFound(hash, store);
    row.blocked = blocked;
    row.updated_at = store.now();
    row.added.settings_updated_at = row.updated_at;
    const view = store.viewKey(hash);
    if (view !== null) view.blocked = blocked;
    const { behaviour } = store.settings;
    // In 1.110 only blocking answers in the shape of a caller identity.
    return behaviour.release === 110 && !blocked
      ? keyOnWire(row, null, "Z", behaviour)
      : blockedKeyOnWire(row, behaviour);
  };

function keyNotFound(hash: string, store: Store): LitellmError {
  if (store.settings.behaviour.unknownKeyStatus === 404) {
    return proxyError(404, "not_found_error", "Key not found.", "key");
  }
  const message = `key=${hash}, not found in db. Create key via \`/key/generate\` call.`;
  const fullMessage = `Authentication Error, Invalid proxy server token passed. ${message}`;
  return proxyError(401, "token_not_found_in_db", fullMessage, "key");
}
