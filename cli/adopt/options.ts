// What the operator may ask of `npm run adopt`, and where LiteLLM and Bursar are. Reads nothing but its arguments.

import { parseArgs } from "node:util";
import type { Enforcement } from "../../src/budget/tenant.ts";

export interface AdoptOptions {
  readonly isApplied: boolean;
  readonly isJson: boolean;
  readonly enforcement: Enforcement;
  readonly includesTeams: boolean;
  readonly includesKeys: boolean;
  /** Keys are adopted for themselves although their team has a budget. */
  readonly includesKeysOfTeams: boolean;
  readonly naming: Naming;
  /** A pattern of tenant ids and aliases, `*` being any text; null: all. */
  readonly only: string | null;
}

/** After what a tenant is called. */
export type Naming =
  | { readonly by: "alias" }
  | { readonly by: "metadata"; readonly field: string }
  | { readonly by: "team" };

export interface Places {
  readonly litellm: { readonly url: string; readonly token: string };
  readonly bursar: { readonly url: string; readonly token: string };
}

/** What was asked makes no sense; the message says what would. */
export class UsageError extends Error {}

export const USAGE = `npm run adopt -- --from litellm [options]

Shows what becomes of LiteLLM's keys and teams as tenants of Bursar; with --apply does it.

  --apply                     carry the plan out; may be ended and run again at any time
  --enforcement observe       observe (usual): refuses nobody who is not suspended, and LiteLLM keeps
                              its limits; or enforce
  --teams, --keys             only teams, only keys; usually both
  --keys-of-teams             also keys whose team has a budget; usually they go with their team
  --tenant-id alias           how tenants are named: alias (usual), metadata.<field> of LiteLLM's metadata,
                              or team (a key is named after its team)
  --only <pattern>            only tenant ids and aliases like this, * being any text
  --json                      the plan, or with --apply what became of it, as JSON

Environment: LITELLM_URL, LITELLM_MASTER_KEY, BURSAR_URL, ADMIN_TOKEN (the token alone, without its name).
Exits 0 when all is well, 1 when something failed, 2 when the request makes no sense, 130 when interrupted.`;

/** @throws UsageError */
export function optionsFrom(args: readonly string[]): AdoptOptions | "help" {
  const values = parsed(args);
  if (values.help) return "help";
  if (values.from !== "litellm") throw new UsageError("--from litellm is needed: there is nothing else to adopt from");
  const { enforcement } = values;
  if (enforcement !== "observe" && enforcement !== "enforce") {
    throw new UsageError(`--enforcement is observe or enforce, not ${enforcement}`);
  }
  const isEither = values.teams || values.keys;
  return {
    isApplied: values.apply,
    isJson: values.json,
    enforcement,
    includesTeams: values.teams || !isEither,
    includesKeys: values.keys || !isEither,
    includesKeysOfTeams: values["keys-of-teams"],
    naming: namingFrom(values["tenant-id"]),
    only: values.only ?? null,
  };
}

/** @throws UsageError naming each variable that is missing. */
export function placesFrom(env: NodeJS.ProcessEnv): Places {
  const missing = ["LITELLM_URL", "LITELLM_MASTER_KEY", "BURSAR_URL", "ADMIN_TOKEN"].filter((name) => !env[name]);
  if (missing.length > 0) throw new UsageError(`set ${missing.join(", ")}`);
  const text = (name: string) => env[name] ?? "";
  return {
    litellm: { url: origin("LITELLM_URL", text("LITELLM_URL")), token: text("LITELLM_MASTER_KEY") },
    bursar: { url: origin("BURSAR_URL", text("BURSAR_URL")), token: text("ADMIN_TOKEN") },
  };
}

function parsed(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        from: { type: "string" },
        apply: flag,
        json: flag,
        help: flag,
        teams: flag,
        keys: flag,
        "keys-of-teams": flag,
        enforcement: { type: "string", default: "observe" },
        "tenant-id": { type: "string", default: "alias" },
        only: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function namingFrom(text: string): Naming {
  if (text === "alias" || text === "team") return { by: text };
  const field = /^metadata\.(.+)$/.exec(text)?.[1];
  if (field === undefined) throw new UsageError(`--tenant-id is alias, metadata.<field> or team, not ${text}`);
  return { by: "metadata", field };
}

/** Without a slash at its end. A URL with a password in it would end up in messages. */
function origin(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw new UsageError(`${name} is no http(s) URL`);
  if (url.username !== "" || url.password !== "") throw new UsageError(`${name} must hold no password`);
  return url.href.replace(/\/+$/, "");
}
