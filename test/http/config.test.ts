// The environment: errors name every missing or invalid variable, and never show a value.

import { describe, expect, it } from "vitest";
import { ConfigError, readConfig } from "../../src/config.ts";

const KEY = btoa("0123456789".repeat(3).concat("01"));
const ENV = {
  DATABASE_URL: "postgres://user:secret-password@db.example/bursar",
  UPSTASH_REDIS_REST_URL: "https://redis.example/",
  UPSTASH_REDIS_REST_TOKEN: "redis-token",
  LITELLM_URL: "https://litellm.example//",
  LITELLM_MASTER_KEY: "sk-master",
  ADMIN_TOKENS: "alice=one, bob=two=three,",
  READ_TOKENS: "reader=four",
  WEBHOOK_SECRETS: "webhook-one, webhook-two",
  WEBHOOK_URL_TOKENS: "url-one",
  EVENTS_TOKENS: "events-one,",
  GUARDRAIL_TOKENS: "guard-one,guard-two",
  ENCRYPTION_KEYS: `new=${KEY},old=${KEY}`,
};

function problemsOf(env: object): string {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
  }
  throw new Error("it was accepted");
}

it.each([
  ["WEBHOOK_SECRETS", "whsec_"],
  ["WEBHOOK_SECRETS", "good,whsec_not base64!"],
  ["WEBHOOK_SECRETS", " , "],
  ["EVENTS_TOKENS", ""],
  ["GUARDRAIL_TOKENS", ","],
  ["UNMANAGED_KEYS", "refuse"],
  ["EMAIL_FROM", "not an address"],
  ["EMAIL_FROM", "Bursar <a@b.c>\r\nBcc: x@y.z"],
  ["ALERT_REPEAT_SECONDS", "1h"],
  ["UNMANAGED_KEYS", "ignore"],
  ["PUBLIC_URL", "bursar.example.com"],
  ["PUBLIC_URL", "http://bursar.example.com"],
  ["PUBLIC_URL", "https://bursar.example.com/?tenant="],
  ["PUBLIC_URL", "https://user@bursar.example.com"],
])("refuses %s=%j, which would fail silently later", (name, value) => {
  const problems = problemsOf({ ...ENV, [name]: value });
  expect(problems).toContain(name);
  if (value.length > 6) expect(problems).not.toContain(value);
});

it.each([
  ["", []],
  ["*", ["*"]],
  ["https://app.example.com, http://localhost:3000", ["https://app.example.com", "http://localhost:3000"]],
])("accepts CORS_ORIGINS=%j", (text, origins) => {
  expect(readConfig({ ...ENV, CORS_ORIGINS: text }).policy.corsOrigins).toEqual(origins);
});

it.each([
  "app.example.com",
  "https://app.example.com/",
  "https://app.example.com/x",
  "ftp://app.example.com",
  "*,https://a.example",
  "https://*.example.com",
  "null",
])("refuses CORS_ORIGINS=%j with the form that it takes", (text) => {
  expect(problemsOf({ ...ENV, CORS_ORIGINS: text })).toBe(
    "configuration: CORS_ORIGINS: must be * or origins such as https://app.example.com,http://localhost:3000",
  );
});

it.each(["", "budgets@example.com", "Bursar <budgets@example.com>"])("accepts %j as the sender of e-mail", (from) => {
  expect(readConfig({ ...ENV, EMAIL_FROM: from }).email.from).toBe(from || null);
});

it("parses the environment with the documented defaults", () => {
  const config = readConfig(ENV);
  expect(config).toMatchObject({
    databaseUrl: ENV.DATABASE_URL,
    neonEndpoint: null,
    redisUrl: "https://redis.example",
    redisToken: "redis-token",
    litellmUrl: "https://litellm.example",
    litellmMasterKey: "sk-master",
    adminTokens: [
      { name: "alice", token: "one" },
      { name: "bob", token: "two=three" },
    ],
    readTokens: [{ name: "reader", token: "four" }],
    guardrailTokens: ["guard-one", "guard-two"],
    policy: { defaultFailPolicy: "open", unmanagedKeys: "allow", failOpenMinutes: 60, checkDeadlineMs: 100 },
  });
  expect(config.encryptionKeys.map(({ id, key }) => [id, key.length])).toEqual([
    ["new", 32],
    ["old", 32],
  ]);
});

it("uses set values instead of defaults, and ignores other variables", () => {
  const env = {
    ...ENV,
    DEFAULT_FAIL_POLICY: "closed",
    UNMANAGED_KEYS: "block",
    FAIL_OPEN_MINUTES: "0",
    CHECK_DEADLINE_MS: "250",
    OTHER: {},
  };
  expect(readConfig({ ...env, NEON_ENDPOINT: "http://127.0.0.1:54330/" })).toMatchObject({
    neonEndpoint: "http://127.0.0.1:54330",
    policy: { defaultFailPolicy: "closed", unmanagedKeys: "block", failOpenMinutes: 0, checkDeadlineMs: 250 },
  });
});

describe("refused environments", () => {
  it.each(Object.keys(ENV))("names the missing variable %s", (name) => {
    expect(problemsOf({ ...ENV, [name]: undefined })).toContain(`${name}:`);
  });

  it.each([
    ["DATABASE_URL", "mysql://db.example/x"],
    ["DATABASE_URL", "secret-words"],
    ["UPSTASH_REDIS_REST_URL", "redis://secret-words"],
    ["UPSTASH_REDIS_REST_TOKEN", ""],
    ["LITELLM_URL", ""],
    ["NEON_ENDPOINT", "secret-words"],
    ["LITELLM_MASTER_KEY", ""],
    ["ADMIN_TOKENS", ""],
    ["ADMIN_TOKENS", ","],
    ["ADMIN_TOKENS", "secret-words"],
    ["ADMIN_TOKENS", "=secret-words"],
    ["ADMIN_TOKENS", "alice="],
    ["READ_TOKENS", "a=secret-words,a=other"],
    ["ENCRYPTION_KEYS", "id=c2VjcmV0LXdvcmRz"],
    ["ENCRYPTION_KEYS", "id=secret words!"],
    ["ENCRYPTION_KEYS", `with.dot=${KEY}`],
    ["DEFAULT_FAIL_POLICY", "secret-words"],
    ["FAIL_OPEN_MINUTES", "-1"],
    ["FAIL_OPEN_MINUTES", "1.5"],
    ["FAIL_OPEN_MINUTES", ""],
    ["CHECK_DEADLINE_MS", "9"],
    ["CHECK_DEADLINE_MS", "10000"],
    ["CHECK_DEADLINE_MS", "fast"],
    ["UNMANAGED_KEYS", "secret-words"],
  ])("refuses %s = %j without showing the value", (name, value) => {
    const problems = problemsOf({ ...ENV, [name]: value });
    expect(problems).toMatch(new RegExp(`^configuration: ${name}`));
    expect(problems).not.toMatch(/secret|c2Vj/);
  });

  it("names every invalid variable at once", () => {
    const problems = problemsOf({});
    for (const name of Object.keys(ENV)) expect(problems).toContain(name);
  });
});

it.each([
  ["10", 10],
  ["9999", 9_999],
])("accepts a deadline of %s ms", (text, ms) => {
  expect(readConfig({ ...ENV, CHECK_DEADLINE_MS: text }).policy.checkDeadlineMs).toBe(ms);
});

it.each([
  ["", null],
  ["https://bursar.example.com/", "https://bursar.example.com"],
  ["https://example.com/bursar", "https://example.com/bursar"],
  ["http://localhost:8787", "http://localhost:8787"],
  ["http://127.0.0.1:8787", "http://127.0.0.1:8787"],
  ["http://[::1]:8787", "http://[::1]:8787"],
])("accepts PUBLIC_URL=%j, where people find the pages", (text, publicUrl) => {
  expect(readConfig({ ...ENV, PUBLIC_URL: text }).policy.publicUrl).toBe(publicUrl);
});
