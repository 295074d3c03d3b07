// Environment → Config, once and total. Only this file reads a variable or a secret. An error never holds a value.

import * as z from "zod";
import type { EmailProvider, EncryptionKey, NamedToken, Policy, Rotated } from "./ports/policy.ts";

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
  /** Secrets of the endpoints that LiteLLM calls. */
  readonly webhookSecrets: Rotated;
  readonly webhookUrlTokens: Rotated;
  readonly eventsTokens: Rotated;
  readonly guardrailTokens: Rotated;
  readonly email: EmailProvider;
  /** Where PagerDuty takes events, without the path. */
  readonly pagerDutyUrl: string;
  /** The first key encrypts; every key decrypts. */
  readonly encryptionKeys: readonly EncryptionKey[];
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

/** People open it from their mail: https, or a developer's machine. */
const publicUrl = httpUrl
  .refine((text) => new URL(text).protocol === "https:" || isLocalHost(new URL(text).hostname), {
    message: "must start with https://, or be local",
  })
  .refine((text) => !/[?#@]/.test(text), { message: "must be an origin, or an origin and a path" });

/** `name=value,name2=value2`; names are unique, values may hold `=` but no comma. */
const namedList = z.string().transform((text, context) => {
  const pairs = partsOf(text)
    .map((part) => part.split(/=(.*)/s))
    .map(([name = "", value = ""]) => ({ name, value }));
  const names = new Set(pairs.map(({ name }) => name));
  const isWhole = pairs.length > 0 && names.size === pairs.length && pairs.every((pair) => pair.name && pair.value);
  if (isWhole) return pairs;
  context.addIssue("must be a list such as name=value,name2=value2 with unique names");
  return z.NEVER;
});

const tokens = namedList.transform((pairs) => pairs.map(({ name, value }): NamedToken => ({ name, token: value })));

const encryptionKeys = namedList.transform((pairs, context) =>
  pairs.map(({ name, value }): EncryptionKey => {
    const key = bytesFromBase64(value);
    if (key?.length === 32 && !name.includes(".")) return { id: name, key };
    context.addIssue("must be a list such as id=base64 of 32 bytes; an id has no dot");
    return z.NEVER;
  }),
);

const wholeNumber = (pattern: RegExp, usual: string, message: string) =>
  z.string().regex(pattern, message).default(usual).transform(Number);

/** `one,two`: any of them counts, so that they can be changed without a gap. */
const list = z.string().transform((text, context): [string, ...string[]] => {
  const [first, ...rest] = partsOf(text);
  if (first !== undefined) return [first, ...rest];
  context.addIssue("must be a list of one or more values, separated by commas");
  return z.NEVER;
});

/** A signing key: any text, or `whsec_` and base64. An empty one would refuse every webhook without a trace. */
const signingSecret = z
  .string()
  .refine(
    (secret) => !secret.startsWith("whsec_") || (bytesFromBase64(secret.slice(6))?.length ?? 0) > 0,
    "must be base64 after whsec_",
  );

const signingSecrets = list.pipe(z.tuple([signingSecret], signingSecret));

/** `*` alone, or origins as a browser sends them: without a path or a wildcard. */
const origins = z
  .string()
  .transform(partsOf)
  .refine((parts) => (parts.includes("*") ? parts.length === 1 : parts.every(isOrigin)), {
    message: "must be * or origins such as https://app.example.com,http://localhost:3000",
  });

const SENDER = /^(?:[^<>@\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)?$/;

const environment = z.object({
  DATABASE_URL: url("postgres:", "postgresql:"),
  NEON_ENDPOINT: httpUrl.optional(),
  UPSTASH_REDIS_REST_URL: httpUrl,
  UPSTASH_REDIS_REST_TOKEN: z.string().min(1),
  LITELLM_URL: httpUrl,
  LITELLM_MASTER_KEY: z.string().min(1),
  ADMIN_TOKENS: tokens,
  READ_TOKENS: tokens,
  WEBHOOK_SECRETS: signingSecrets,
  WEBHOOK_URL_TOKENS: list,
  EVENTS_TOKENS: list,
  GUARDRAIL_TOKENS: list,
  ENCRYPTION_KEYS: encryptionKeys,
  DEFAULT_FAIL_POLICY: z.enum(["open", "closed"]).default("open"),
  UNMANAGED_KEYS: z.enum(["allow", "block"]).default("allow"),
  FAIL_OPEN_MINUTES: wholeNumber(/^\d{1,6}$/, "60", "must be a whole number of minutes"),
  CHECK_DEADLINE_MS: wholeNumber(/^[1-9]\d{1,3}$/, "100", "must be a whole number of milliseconds, 10 to 9999"),
  ALERT_REPEAT_SECONDS: wholeNumber(/^\d{1,7}$/, "3600", "must be a whole number of seconds"),
  CORS_ORIGINS: origins.default([]),
  EMAIL_FROM: z
    .string()
    .regex(SENDER, "must be an address, or a name and an address: Bursar <budgets@example.com>")
    .default(""),
  RESEND_API_KEY: z.string().default(""),
  RESEND_URL: httpUrl.default("https://api.resend.com"),
  EMAIL_BINDING_ENDPOINT: httpUrl.optional(),
  PAGERDUTY_URL: httpUrl.default("https://events.pagerduty.com"),
  PUBLIC_URL: z.literal("").or(publicUrl).default(""),
  ALLOW_LOCAL_TARGETS: z.enum(["true", "false"]).default("false"),
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
    webhookSecrets: data.WEBHOOK_SECRETS,
    webhookUrlTokens: data.WEBHOOK_URL_TOKENS,
    eventsTokens: data.EVENTS_TOKENS,
    guardrailTokens: data.GUARDRAIL_TOKENS,
    email: {
      from: data.EMAIL_FROM || null,
      resend: data.RESEND_API_KEY === "" ? null : { url: data.RESEND_URL, apiKey: data.RESEND_API_KEY },
      bindingEndpoint: data.EMAIL_BINDING_ENDPOINT ?? null,
    },
    pagerDutyUrl: data.PAGERDUTY_URL,
    encryptionKeys: data.ENCRYPTION_KEYS,
    policy: {
      defaultFailPolicy: data.DEFAULT_FAIL_POLICY,
      unmanagedKeys: data.UNMANAGED_KEYS,
      failOpenMinutes: data.FAIL_OPEN_MINUTES,
      checkDeadlineMs: data.CHECK_DEADLINE_MS,
      alertRepeatSeconds: data.ALERT_REPEAT_SECONDS,
      corsOrigins: data.CORS_ORIGINS,
      allowsLocalTargets: data.ALLOW_LOCAL_TARGETS === "true",
      publicUrl: data.PUBLIC_URL || null,
    },
  };
}

function isLocalHost(hostname: string): boolean {
  return hostname === "localhost" || hostname === "127.0.0.1" || hostname === "[::1]";
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text) || text.includes("*")) return false;
  const { origin, protocol } = new URL(text);
  return origin === text && /^https?:$/.test(protocol);
}

function partsOf(list: string): string[] {
  return list
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function bytesFromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
