// Authentication and budget checks in LiteLLM's order, with LiteLLM's refusal messages.
// Must never log or keep a key, only compare and hash it.

import { type ErrorType, type LitellmError, proxyError } from "./errors.ts";
import type { Behaviour } from "./profiles.ts";
import { floatText, instantText } from "./python-text.ts";
import type { KeyView, TeamView } from "./state/memory.ts";
import { keyHash } from "./state/rows.ts";
import type { Store } from "./state/store.ts";

export type Caller = { kind: "admin" } | { kind: "key"; key: KeyView; team: TeamView | null };

export interface Route {
  path: string;
  /** "llm": LiteLLM enforces budgets. "info": any key may call it. "admin": only the master key may. */
  kind: "llm" | "info" | "admin";
  /** A call that costs nothing skips every budget check. */
  isFree?: boolean;
}

/** The headers in which LiteLLM looks for a key, in this order. The first allows a scheme, the second requires one. */
export const KEY_HEADERS = [
  "x-litellm-api-key",
  "authorization",
  "api-key",
  "x-api-key",
  "x-goog-api-key",
  "ocp-apim-subscription-key",
];

/** @throws LitellmError with LiteLLM's refusal. */
export function authenticate(headers: Headers, route: Route, store: Store): Caller {
  const credential = credentialIn(headers);
  if (credential === null) throw refused("No api key passed in.");
  if (credential === "") throw refused("Malformed API Key passed in. Ensure Key has `Bearer ` prefix.");
  if (credential === store.settings.masterKey) return { kind: "admin" };
  if (!credential.startsWith("sk-")) {
    throw refused(`LiteLLM Virtual Key expected. Received=${credential}, expected to start with 'sk-'.`);
  }
  const key = store.viewKey(keyHash(credential));
  if (key === null) throw unknownKey(credential, store.settings.behaviour);
  const team = store.viewTeam(key.teamId);
  checkKey(key, store);
  if (route.kind === "llm") {
    const isFree = route.isFree === true;
    const refusal = isFree ? null : budgetRefusal(key, team, store);
    store.settings.listener({ kind: "call_authorized", key: { ...key }, team: team && { ...team }, refusal, isFree });
  }
  if (route.isFree !== true && route.kind === "llm") checkKeyBudget(key, store);
  checkTeam(team, route, store);
  if (route.kind === "admin") throw adminOnly(route.path);
  return { kind: "key", key, team };
}

/** The hash of a request's key, whether LiteLLM knows the key or not. */
export function callerHash(headers: Headers): string {
  return keyHash(credentialIn(headers) ?? "");
}

function credentialIn(headers: Headers): string | null {
  const found = KEY_HEADERS.find((name) => headers.get(name) !== null);
  if (found === undefined) return null;
  const value = headers.get(found) ?? "";
  const bare = /^(?:Bearer|bearer|Basic) (.*)$/.exec(value)?.[1];
  if (found === "authorization") return bare ?? "";
  return found === "x-litellm-api-key" ? (bare ?? value) : value;
}

function checkKey(key: KeyView, store: Store): void {
  if (key.hasUnreadableExpiry) throw refused("can't compare offset-naive and offset-aware datetimes");
  if (key.blocked) throw refused(`Key is blocked. Update via \`/key/unblock\` if ${adminWords(store)[0]}.`);
  if (key.expires !== null && key.expires < store.now()) {
    const [expiry, current] = [key.expires, store.now()].map((at) => instantText(at, "+00:00").replace("T", " "));
    const message = `Authentication Error - Expired Key. Key Expiry time ${expiry} and current time ${current}`;
    const status = store.settings.behaviour.release >= 103 ? 401 : 400;
    throw proxyError(status, "expired_key", message, `sk-...${key.hash.slice(-4)}`);
  }
}

/** The spend that LiteLLM compares with the key's budget: what was spent, and what calls in flight reserve. */
function countedSpend(key: KeyView, { reservations }: Store): number {
  return key.spend + key.reserved + (reservations.get(key.hash) ?? 0);
}

/** LiteLLM refuses a key that reaches its budget, but a team only when it exceeds its budget. */
function budgetRefusal(key: KeyView, team: TeamView | null, store: Store): "key_budget" | "team_budget" | null {
  if (key.maxBudget !== null && countedSpend(key, store) >= key.maxBudget) return "key_budget";
  return team !== null && team.maxBudget !== null && team.spend > team.maxBudget ? "team_budget" : null;
}

function checkKeyBudget(key: KeyView, store: Store): void {
  if (budgetRefusal(key, null, store) === null) return;
  const maxBudget = key.maxBudget ?? 0;
  // A refusal by a reservation names the key by its whole hash.
  const name = key.spend + key.reserved < maxBudget ? key.hash : `${key.alias} (${key.name})`;
  const named = store.settings.behaviour.refusalNamesKey ? ` Key=${name}` : "";
  throw overBudget(named, countedSpend(key, store), maxBudget, store.settings.behaviour);
}

/** Nothing is left to reserve: of a team at its budget, or after calls of the same moment. `wanted`: of this call. */
export function refuseByReservation(one: KeyView | TeamView, wanted: number, behaviour: Behaviour): never {
  const name = "hash" in one ? `Key=${one.hash}` : `Team=${one.id}`;
  throw overBudget(` ${name}`, one.spend + one.reserved + wanted, one.maxBudget ?? 0, behaviour);
}

/** LiteLLM checks the team on every route, so a key of a team over its budget cannot even read itself. */
function checkTeam(team: TeamView | null, route: Route, store: Store): void {
  if (team?.blocked === true) {
    throw refused(`Team=${team.id} is blocked. Update via \`/team/unblock\` if ${adminWords(store)[1]}.`);
  }
  if (team === null || team.maxBudget === null || route.isFree === true || team.spend <= team.maxBudget) return;
  throw overBudget(` Team=${team.id}`, team.spend, team.maxBudget, store.settings.behaviour);
}

function overBudget(named: string, spend: number, maxBudget: number, { refusalStatus }: Behaviour): LitellmError {
  const amounts = `Current cost: ${floatText(spend)}, Max budget: ${floatText(maxBudget)}`;
  return proxyError(refusalStatus, "budget_exceeded", `Budget has been exceeded!${named} ${amounts}`, null);
}

/** How the refusals of a blocked key and of a blocked team name the administrator. */
function adminWords({ settings }: Store): readonly [key: string, team: string] {
  return settings.behaviour.release === 81 ? ["you're admin", "your admin"] : ["you're an admin", "you're an admin"];
}

function unknownKey(credential: string, { release }: Behaviour): LitellmError {
  if (release === 110) return refused("Invalid API key provided.", "token_not_found_in_db", "key");
  const received = `Received API Key = sk-...${credential.slice(-4)}, Key Hash (Token) =${keyHash(credential)}.`;
  const missing = "Unable to find token in cache or `LiteLLM_VerificationTokenTable`";
  return refused(`Invalid proxy server token passed. ${received} ${missing}`, "token_not_found_in_db", "key");
}

function adminOnly(path: string): LitellmError {
  const rule = "Only proxy admin can be used to generate, delete, update info for new keys/users/teams.";
  return refused(`${rule} Route=${path}. Your role=unknown. Your user_id=unknown`);
}

function refused(message: string, type: ErrorType = "auth_error", param = "None"): LitellmError {
  return proxyError(401, type, `Authentication Error, ${message}`, param);
}
