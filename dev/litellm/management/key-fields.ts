// Shared by the key routes: the body fields of a key, and the rules for both creating and updating one.
// Must never change spend.

import type { Body } from "../dict.ts";
import { proxyError, stringifiedError } from "../errors.ts";
import type { FieldTypes } from "../fields.ts";
import type { Behaviour } from "../profiles.ts";
import { plainLength, UnsupportedDurationError } from "../state/durations.ts";
import type { Store } from "../state/store.ts";

/** Columns that the simulator stores and returns, but that have no effect. */
export const PASSIVE_FIELDS: FieldTypes = {
  models: "list",
  aliases: "dict",
  config: "dict",
  permissions: "dict",
  router_settings: "dict",
  max_parallel_requests: "number",
  tpm_limit: "number",
  rpm_limit: "number",
  allowed_cache_controls: "list",
  allowed_routes: "list",
  model_max_budget: "dict",
};

export const KEY_FIELDS: FieldTypes = {
  ...PASSIVE_FIELDS,
  key_alias: "string",
  max_budget: "number",
  budget_duration: "string",
  budget_id: "string",
  metadata: "dict",
  user_id: "string",
  team_id: "string",
  duration: "string",
  blocked: "boolean",
  spend: "number",
};

/** The durations that LiteLLM supports, in versions that check them. */
const DURATION = /^(?:[1-9]\d*[smhdw]|1mo|hourly|daily|weekly|monthly)$/;

export function refuseUnknownDuration(
  body: Body,
  type: "auth_error" | "internal_server_error",
  behaviour: Behaviour,
): void {
  const message = unknownDuration(body, behaviour);
  if (message !== null) throw stringifiedError(400, type, message);
}

/** Null: there is no duration, or this version takes it. */
export function unknownDuration(body: Body, { checksDurations }: Behaviour): string | null {
  const duration = body["budget_duration"];
  if (!checksDurations || typeof duration !== "string" || DURATION.test(duration)) return null;
  return `Invalid budget_duration '${duration}'. Use a format like '1h', '24h', '7d', or '30d'.`;
}

/** Without `exceptHash`, an alias also counts as taken when the key itself is generated again. */
export function refuseTakenAlias(store: Store, alias: unknown, exceptHash?: string): void {
  if (typeof alias !== "string") return;
  for (const row of store.keys.values()) {
    if (row.key_alias !== alias || row.token === exceptHash) continue;
    const message = `Key with alias '${alias}' already exists. Unique key aliases across all keys are required.`;
    throw proxyError(400, "bad_request_error", message, "key_alias");
  }
}

/**
 * Runs a calculation with a duration.
 * @throws the error that `fail` builds from LiteLLM's message, when LiteLLM does not support the duration.
 */
export function calculated<T>(calculate: () => T, fail: (message: string) => Error): T {
  try {
    return calculate();
  } catch (error) {
    throw error instanceof UnsupportedDurationError ? fail(error.message) : error;
  }
}

/** The instant at which a key with this lifetime expires. @throws UnsupportedDurationError */
export function expiryAfter(lifetime: string, now: number): number {
  return now + plainLength(lifetime, now);
}
