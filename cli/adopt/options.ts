// The options of `npm run adopt`, and the URLs and tokens of LiteLLM and Bursar. Reads nothing but its arguments.

import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { Enforcement } from "../../src/budget/tenant.ts";
import { defineCommand } from "../command-line.ts";

export interface AdoptOptions {
  readonly isApplied: boolean;
  readonly isJson: boolean;
  readonly enforcement: Enforcement;
  readonly includesTeams: boolean;
  readonly includesKeys: boolean;
  /** Also adopt keys whose team has a budget. */
  readonly includesKeysOfTeams: boolean;
  readonly naming: Naming;
  /** A pattern for tenant ids and aliases, in which `*` matches any text. Null: all. */
  readonly only: string | null;
}

/** Which of LiteLLM's fields gives a tenant its id. */
export type Naming =
  | { readonly by: "alias" }
  | { readonly by: "metadata"; readonly field: string }
  | { readonly by: "team" };

export interface Places {
  readonly litellm: { readonly url: string; readonly token: string };
  readonly bursar: { readonly url: string; readonly token: string };
}

type AdoptCommand = ReturnType<typeof adoptCommand>;

export function adoptCommand() {
  return defineCommand({
    name: "npm run adopt --",
    description: "Shows which keys and teams of LiteLLM would become tenants of Bursar; with --apply it adopts them.",
    environment: {
      LITELLM_URL: "LiteLLM's URL",
      LITELLM_MASTER_KEY: "LiteLLM's master key",
      BURSAR_URL: "Bursar's URL",
      ADMIN_TOKEN: "one token of ADMIN_TOKENS, without its name",
    },
    exitCodes: {
      0: "the plan was shown, or everything was adopted",
      1: "something failed; run it again to retry",
      2: "the arguments or the environment are invalid; nothing was changed",
      130: "interrupted; run it again to continue",
    },
  })
    .addOption(new Option("--from <source>", "what to adopt from").choices(["litellm"] as const).makeOptionMandatory())
    .option("--apply", "carry out the plan; safe to interrupt and to run again")
    .addOption(
      new Option("--enforcement <mode>", "observe blocks no tenant and keeps LiteLLM's limits")
        .choices(["observe", "enforce"] as const)
        .default("observe" as const),
    )
    .option("--teams", "only teams; default: teams and keys")
    .option("--keys", "only keys; default: teams and keys")
    .option("--keys-of-teams", "also keys whose team has a budget; default: they belong to their team's tenant")
    .addOption(
      new Option("--tenant-id <naming>", "name tenants after: alias, metadata.<field> of LiteLLM, or team")
        .argParser(namingFrom)
        .default({ by: "alias" } as Naming, "alias"),
    )
    .option("--only <pattern>", "only tenant ids and aliases that match; * matches any text")
    .option("--json", "print the plan as JSON, with --apply also its outcome");
}

export function optionsFrom(values: ReturnType<AdoptCommand["opts"]>): AdoptOptions {
  const isEither = values.teams === true || values.keys === true;
  return {
    isApplied: values.apply === true,
    isJson: values.json === true,
    enforcement: values.enforcement,
    includesTeams: values.teams === true || !isEither,
    includesKeys: values.keys === true || !isEither,
    includesKeysOfTeams: values.keysOfTeams === true,
    naming: values.tenantId,
    only: values.only ?? null,
  };
}

/** Ends with a usage error that names each variable that is missing or invalid. @throws CommanderError */
export function placesFrom(env: NodeJS.ProcessEnv, command: AdoptCommand): Places {
  const missing = ["LITELLM_URL", "LITELLM_MASTER_KEY", "BURSAR_URL", "ADMIN_TOKEN"].filter((name) => !env[name]);
  if (missing.length > 0) command.error(`error: set ${missing.join(", ")}`);
  const text = (name: string) => env[name] ?? "";
  return {
    litellm: { url: urlFrom("LITELLM_URL", env, command), token: text("LITELLM_MASTER_KEY") },
    bursar: { url: urlFrom("BURSAR_URL", env, command), token: text("ADMIN_TOKEN") },
  };
}

function namingFrom(text: string): Naming {
  if (text === "alias" || text === "team") return { by: text };
  const field = /^metadata\.(.+)$/.exec(text)?.[1];
  if (field === undefined) throw new InvalidArgumentError("Allowed choices are alias, metadata.<field>, team.");
  return { by: "metadata", field };
}

/** The URL without a trailing slash. Refuses a URL with a password, because messages may contain the URL. */
function urlFrom(name: string, env: NodeJS.ProcessEnv, command: AdoptCommand): string {
  const url = URL.parse(env[name] ?? "");
  if (url === null || !/^https?:$/.test(url.protocol)) command.error(`error: ${name} must be an http(s) URL`);
  if (url.username !== "" || url.password !== "") command.error(`error: ${name} must not contain a password`);
  return url.href.replace(/\/+$/, "");
}
