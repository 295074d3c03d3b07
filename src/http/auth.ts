// Authenticates callers: admin and read tokens, LiteLLM's tokens, and agents' virtual keys. Compares in constant time,
// logs no token.

import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { PER_NETWORK } from "../flows/check/look-up-ceiling.ts";
import type { NamedToken, Tokens } from "../ports/policy.ts";
import { holdsVirtualKey, sha256Hex } from "../wire/key-hash.ts";
import type { AppEnv } from "./app-env.ts";
import { problem } from "./problem.ts";

/** A key that is asked again is looked up from a reserve. */
const RETRY_UNKNOWN_KEYS_SECONDS = 1;

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i;

/** The bearer token of an `Authorization` header; null when there is none. */
export function bearerOf(header: string | undefined): string | null {
  return BEARER.exec(header ?? "")?.[1] ?? null;
}

/** For routes that change anything or show secrets. Tells a read token that it may not, and a wrong one nothing. */
export const requireAdmin = requireToken(({ admin }) => admin, {
  isTooWeak: async (token, { read }) => (await ownerOf(token, read)) !== null,
});

/** For reads and checks. An admin token may read too. */
export const requireRead = requireToken(({ admin, read }) => [...read, ...admin]);

/** For LiteLLM's callback. Refuses before it reads a byte of the body. */
export const requireEvents = createMiddleware<AppEnv>(async (c, next) => {
  const token = bearerOf(c.req.header("Authorization"));
  if (token !== null && (await isOneOf(c.get("tokens").events, token))) return next();
  return noToken(c);
});

/** For LiteLLM's guardrail, which sends its token in `x-api-key`. */
export const requireGuardrail = createMiddleware<AppEnv>(async (c, next) => {
  const token = c.req.header("x-api-key");
  if (token !== undefined && (await isOneOf(c.get("tokens").guardrail, token))) return next();
  return problem(c, "unauthorized");
});

/** Accepts any of the tokens; the token's name becomes the actor. */
function requireToken(
  accepted: (tokens: Tokens) => readonly NamedToken[],
  { isTooWeak = async () => false }: { isTooWeak?: (token: string, tokens: Tokens) => Promise<boolean> } = {},
) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const token = bearerOf(c.req.header("Authorization"));
    const owner = token === null ? null : await ownerOf(token, accepted(c.get("tokens")));
    if (token !== null && owner === null && (await isTooWeak(token, c.get("tokens")))) return notAdmin(c);
    if (token === null || owner === null) return noToken(c, token);
    const operation = { id: crypto.randomUUID(), idempotency: null };
    c.set("actor", { name: owner, requestId: c.get("requestId"), now: c.get("now"), operation });
    return next();
  });
}

const CHALLENGE = { "WWW-Authenticate": 'Bearer realm="bursar"' };

/** `token`: what was sent in its place. */
function noToken(c: Context<AppEnv>, token: string | null = null): Response {
  const isKey = token !== null && holdsVirtualKey(token);
  return problem(c, "unauthorized", { headers: CHALLENGE, ...(isKey && { detail: IS_KEY }) });
}

const IS_KEY =
  "This is a virtual key: send it to GET /v1/budget. This call needs a token of ADMIN_TOKENS or READ_TOKENS.";

/** The challenge of RFC 6750 for a token without the rights. */
function notAdmin(c: Context<AppEnv>): Response {
  return problem(c, "admin-token-required", {
    detail: "This is a read token, which may read and check. Send one of ADMIN_TOKENS.",
    headers: { "WWW-Authenticate": 'Bearer realm="bursar", error="insufficient_scope"' },
  });
}

export function noKey(c: Context<AppEnv>): Response {
  return problem(c, "unauthorized", { detail: "Send the LiteLLM virtual key as a bearer token.", headers: CHALLENGE });
}

export function unknownKey(c: Context<AppEnv>): Response {
  return problem(c, "unknown-key", { detail: "No tenant has this virtual key.", headers: CHALLENGE });
}

export function tooManyUnknown(c: Context<AppEnv>): Response {
  return problem(c, "too-many-requests", {
    detail: "This network sent many unknown virtual keys, so this one was not looked up. Try again in a second.",
    headers: {
      "Retry-After": String(RETRY_UNKNOWN_KEYS_SECONDS),
      // draft-ietf-httpapi-ratelimit-headers. The only limit that a caller can meet here.
      "RateLimit-Policy": `"unknown-keys";q=${PER_NETWORK.perMinute};w=60`,
      RateLimit: `"unknown-keys";r=0;t=${RETRY_UNKNOWN_KEYS_SECONDS}`,
    },
  });
}

/** For tokens without a name. Takes the same time for every wrong token. */
export async function isOneOf(allowed: readonly string[], token: string): Promise<boolean> {
  const named = allowed.map((accepted) => ({ name: "", token: accepted }));
  return (await ownerOf(token, named)) !== null;
}

/** Compares every token, as digests of equal length, so that the time taken reveals nothing. */
async function ownerOf(token: string, allowed: readonly NamedToken[]): Promise<string | null> {
  const given = await sha256Hex(token);
  let owner: string | null = null;
  for (const candidate of allowed) {
    if (isSameDigest(given, await sha256Hex(candidate.token))) owner = candidate.name;
  }
  return owner;
}

function isSameDigest(a: string, b: string): boolean {
  let difference = 0;
  for (let index = 0; index < a.length; index++) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}
