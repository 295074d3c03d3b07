// Environment → Config, once and total. Nobody else reads a variable or a secret; no value is ever put in an error.

import * as z from "zod";
import type { NamedToken, Policy, SealingKey } from "./ports.ts";

export interface Config {
  readonly databaseUrl: string;
  /** Where Neon's HTTP protocol is spoken; null for Neon itself. */
  readonly neonEndpoint: string | null;
  readonly redisUrl: string;
  readonly redisToken: string;
  readonly litellmUrl: string;
  readonly litellmMasterKey: string;
  readonly adminTokens: readonly NamedToken[];
  readonly readTokens: readonly NamedToken[];
  /** The first one seals; all of them open. */
  readonly sealingKeys: readonly SealingKey[];
  readonly policy: Policy;
}

/** Names the variables that are missing or wrong, and how; never their values. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`configuration: ${problems.join("; ")}`);
    this.name = "ConfigError";
  }
}

const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    message: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
  });

const httpUrl = url("http:", "https:").transform((text) => text.replace(/\/+$/, ""));

/** `name=value,name2=value2`; names are unique, values may hold `=` but no comma. */
const namedList = z.string().transform((text, context) => {
  const pairs = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => part.split(/=(.*)/s))
    .map(([name = "", value = ""]) => ({ name, value }));
  const names = new Set(pairs.map(({ name }) => name));
  const isWhole = pairs.length > 0 && names.size === pairs.length && pairs.every((pair) => pair.name && pair.value);
  if (isWhole) return pairs;
  context.addIssue({ code: "custom", message: "must be a list name=value,name2=value2 with unique names" });
  return z.NEVER;
});

const tokens = namedList.transform((pairs) => pairs.map(({ name, value }): NamedToken => ({ name, token: value })));

const sealingKeys = namedList.transform((pairs, context) =>
  pairs.map(({ name, value }): SealingKey => {
    const key = bytesFromBase64(value);
    if (key?.length === 32 && !name.includes(".")) return { id: name, key };
    context.addIssue({ code: "custom", message: "must be a list id=base64 of 32 bytes; an id holds no dot" });
    return z.NEVER;
  }),
);

const environment = z.object({
  DATABASE_URL: url("postgres:", "postgresql:"),
  NEON_ENDPOINT: httpUrl.optional(),
  UPSTASH_REDIS_REST_URL: httpUrl,
  UPSTASH_REDIS_REST_TOKEN: z.string().min(1),
  LITELLM_URL: httpUrl,
  LITELLM_MASTER_KEY: z.string().min(1),
  ADMIN_TOKENS: tokens,
  READ_TOKENS: tokens,
  ENCRYPTION_KEYS: sealingKeys,
  DEFAULT_FAIL_POLICY: z.enum(["open", "closed"]).default("open"),
  FAIL_OPEN_MINUTES: z
    .string()
    .regex(/^\d{1,6}$/, "must be a whole number of minutes")
    .default("60")
    .transform(Number),
  CHECK_DEADLINE_MS: z
    .string()
    .regex(/^[1-9]\d{1,3}$/, "must be a whole number of milliseconds, 10 to 9999")
    .default("100")
    .transform(Number),
});

/** @throws ConfigError when anything is missing or wrong. */
export function readConfig(env: object): Config {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  }
  const { data } = parsed;
  return {
    databaseUrl: data.DATABASE_URL,
    neonEndpoint: data.NEON_ENDPOINT ?? null,
    redisUrl: data.UPSTASH_REDIS_REST_URL,
    redisToken: data.UPSTASH_REDIS_REST_TOKEN,
    litellmUrl: data.LITELLM_URL,
    litellmMasterKey: data.LITELLM_MASTER_KEY,
    adminTokens: data.ADMIN_TOKENS,
    readTokens: data.READ_TOKENS,
    sealingKeys: data.ENCRYPTION_KEYS,
    policy: {
      defaultFailPolicy: data.DEFAULT_FAIL_POLICY,
      failOpenMinutes: data.FAIL_OPEN_MINUTES,
      checkDeadlineMs: data.CHECK_DEADLINE_MS,
    },
  };
}

function bytesFromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
