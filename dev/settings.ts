// The local stack's settings from the environment: ports, and real services that replace embedded ones.

import { isProfile, type LitellmProfile, PROFILE_NAMES } from "./litellm/profiles.ts";

export interface StackSettings {
  readonly ports: Ports;
  /** Real services. Null: the embedded one. */
  readonly databaseUrl: string | null;
  readonly redisUrl: string | null;
  readonly litellm: { readonly url: string; readonly masterKey: string } | null;
  /** The generation of LiteLLM that the simulator behaves as. Absent: its default. */
  readonly litellmProfile?: LitellmProfile;
}

export interface Ports {
  readonly worker: number;
  readonly litellm: number;
  readonly inbox: number;
  readonly postgres: number;
  readonly neon: number;
  readonly upstash: number;
}

export class SettingsError extends Error {}

const DEFAULT_PROFILE: LitellmProfile = "1.110";

/** Help text for each variable that {@link settingsFromEnv} reads. */
export const SETTINGS_HELP = {
  "PORT, LITELLM_PORT, INBOX_PORT": "ports of the Worker (8787), LiteLLM (4000) and the inbox (8025)",
  "POSTGRES_PORT, NEON_PORT, UPSTASH_PORT": "ports of Postgres (54329), Neon HTTP (54330) and Upstash REST (54331)",
  "DATABASE_URL, REDIS_URL": "a real Postgres or Redis instead of an embedded one",
  "LITELLM_URL, LITELLM_MASTER_KEY": "a real LiteLLM instead of the simulator",
  LITELLM_PROFILE: `the LiteLLM that the simulator behaves as: ${PROFILE_NAMES.join(", ")} (default ${DEFAULT_PROFILE})`,
};

/** @throws SettingsError naming the invalid variable. */
export function settingsFromEnv(env: NodeJS.ProcessEnv): StackSettings {
  const port = (name: string, defaultPort: number) => {
    const text = env[name];
    if (text === undefined || text === "") return defaultPort;
    const value = Number(text);
    if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
    throw new SettingsError(`${name}=${text} is not a port`);
  };
  const text = (name: string) => env[name] || null;
  const litellmUrl = text("LITELLM_URL");
  const masterKey = text("LITELLM_MASTER_KEY");
  if (litellmUrl !== null && masterKey === null) throw new SettingsError("LITELLM_URL needs LITELLM_MASTER_KEY");
  const litellmProfile = text("LITELLM_PROFILE") ?? DEFAULT_PROFILE;
  if (!isProfile(litellmProfile)) {
    throw new SettingsError(`LITELLM_PROFILE=${litellmProfile} is none of ${PROFILE_NAMES.join(", ")}`);
  }
  return {
    litellmProfile,
    ports: {
      worker: port("PORT", 8787),
      litellm: port("LITELLM_PORT", 4000),
      inbox: port("INBOX_PORT", 8025),
      postgres: port("POSTGRES_PORT", 54329),
      neon: port("NEON_PORT", 54330),
      upstash: port("UPSTASH_PORT", 54331),
    },
    databaseUrl: text("DATABASE_URL"),
    redisUrl: text("REDIS_URL"),
    litellm: litellmUrl === null || masterKey === null ? null : { url: litellmUrl, masterKey },
  };
}
