// Routes that read virtual keys.
// They return the spend in the database. The spend that the proxy enforces may already be higher.

import { Hono } from "hono";
import type { Body } from "../dict.ts";
import { bodyRuleError, proxyError, validationError } from "../errors.ts";
import { type KeyRow, keyHash, keyOnWire } from "../state/rows.ts";
import type { Store } from "../state/store.ts";
import { deletedKeyOnWire, listedKeyOnWire } from "./key-answers.ts";
import { infoRoute, type ManagementCall } from "./management.ts";

export function keyReads(store: Store): Hono {
  const app = new Hono();
  app.get("/key/info", infoRoute(store, null, keyInfo));
  app.post("/v2/key/info", infoRoute(store, { keys: "list", key_aliases: "list" }, keysInfo));
  app.get("/key/list", infoRoute(store, null, listKeys));
  return app;
}

/** A key may read itself and keys of the same owner. Two keys without an owner count as having the same owner. */
function keyInfo({ caller, param }: ManagementCall, store: Store): Body {
  const requested = param("key") || (caller.kind === "key" ? caller.key.hash : keyHash(store.settings.masterKey));
  const row = store.keys.get(keyHash(requested));
  if (row === undefined) {
    const deleted = store.deletedKeys.get(keyHash(requested));
    if (deleted !== undefined) return { key: requested, info: deletedKeyOnWire(deleted, store.settings.behaviour) };
    throw proxyError(404, "not_found_error", "Key not found in database", "key");
  }
  if (caller.kind === "key" && caller.key.hash !== row.token && caller.key.userId !== row.user_id) {
    const message = "You are not allowed to access this key's info. Your role=internal_user";
    throw proxyError(403, "internal_server_error", message);
  }
  const { behaviour } = store.settings;
  const { token: _, ...info } = keyOnWire(row, store.budgetOf(row), "+00:00", behaviour);
  const isExpired = row.expires !== null && row.expires < store.now();
  const status = row.blocked === true ? "revoked" : isExpired ? "expired" : "active";
  return { key: requested, info: behaviour.showsDeletedKeys ? { ...info, status } : info };
}

/** Sorted by spend, not in the requested order. Unknown keys are left out; with aliases alone it returns every key. */
function keysInfo({ body }: ManagementCall, store: Store): Body {
  const { keys, key_aliases: aliases } = body;
  if (!(Array.isArray(keys) && keys.length > 0) && !(Array.isArray(aliases) && aliases.length > 0)) {
    throw bodyRuleError("At least one of 'keys' or 'key_aliases' must be provided.", body);
  }
  const hashes = Array.isArray(keys) ? new Set(keys.map((key) => keyHash(String(key)))) : store.keys.keys();
  const rows = [...hashes].map((hash) => store.keys.get(hash)).filter((row) => row !== undefined);
  rows.sort((a, b) => b.spend - a.spend);
  return { key: keys ?? null, info: rows.map((row) => listedRow(row, store)) };
}

function listedRow(row: KeyRow, store: Store): Body {
  const { token, ...info } = keyOnWire(row, store.budgetOf(row), "+00:00", store.settings.behaviour);
  return store.settings.behaviour.rowsHaveToken ? { token, ...info } : info;
}

/** The team of the keys that LiteLLM's dashboard uses. Lists leave these keys out. */
const DASHBOARD_TEAM = "litellm-dashboard";

function listKeys({ caller, param }: ManagementCall, store: Store): Body {
  if (caller.kind === "key") {
    const message = "You are not authorized to access this endpoint. No 'user_id' is associated with your API key.";
    throw proxyError(403, "bad_request_error", message, "user_id");
  }
  const page = pageNumber(param("page"), "page", 1, Number.MAX_SAFE_INTEGER);
  const size = pageNumber(param("size"), "size", 10, 100);
  const filters = (["user_id", "team_id", "key_alias"] as const).filter((name) => param(name) !== undefined);
  const hash = param("key_hash");
  const found = [...store.keys.values()]
    .filter((row) => row.team_id !== DASHBOARD_TEAM)
    .filter((row) => filters.every((name) => row[name] === param(name)) && (hash === undefined || row.token === hash))
    .sort((a, b) => b.created_at - a.created_at || (a.token < b.token ? 1 : -1));
  const shown = found.slice((page - 1) * size, page * size);
  return {
    keys: shown.map((row) =>
      param("return_full_object") === "true" ? listedKeyOnWire(row, store.settings.behaviour) : row.token,
    ),
    total_count: found.length,
    current_page: page,
    total_pages: Math.ceil(found.length / size),
  };
}

function pageNumber(sent: string | undefined, name: string, defaultValue: number, max: number): number {
  const value = sent === undefined ? defaultValue : Number(sent);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  const isTooLarge = value > max;
  const msg = `Input should be ${isTooLarge ? "less" : "greater"} than or equal to ${isTooLarge ? max : 1}`;
  const type = isTooLarge ? "less_than_equal" : "greater_than_equal";
  throw validationError([{ type, loc: ["query", name], msg, input: sent, ctx: isTooLarge ? { le: max } : { ge: 1 } }]);
}
