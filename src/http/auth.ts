// Who is calling: admin and read tokens, LiteLLM's own, and the virtual key of an agent. Compares in constant time, logs
// no token.

import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { KeyHash } from "../budget/tenant.ts";
import type { NamedToken, Tokens } from "../ports/policy.ts";
import type { AppEnv } from "./app-env.ts";
import { problem } from "./problem.ts";

/** How long an address that asks for unknown keys should stay away; the window of the rate limit. */
const RETRY_UNKNOWN_KEYS_SECONDS = 60;

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i;

/** The bearer token of an `Authorization` header; null when there is none. */
export function bearerOf(header: string | undefined): string | null {
  return BEARER.exec(header ?? "")?.[1] ?? null;
}

/** What LiteLLM stores instead of the key: sha256, lower-case hex. */
export async function keyHashOf(virtualKey: string): Promise<KeyHash> {
  return (await sha256Hex(virtualKey)) as KeyHash;
}

/** 64 lower-case hex digits. */
export async function sha256Hex(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** For changing anything. */
export const requireAdmin = requireToken(({ admin }) => admin);

/** For reading and checks; whoever may change may also read. */
export const requireRead = requireToken(({ admin, read }) => [...read, ...admin]);

/** LiteLLM's callback. Answers before a byte of the body is read. */
export const requireEvents = createMiddleware<AppEnv>(async (c, next) => {
  const token = bearerOf(c.req.header("Authorization"));
  if (token !== null && (await isOneOf(c.get("tokens").events, token))) return next();
  return noToken(c);
});

/** LiteLLM's guardrail, which says who it is in a header of its own. */
export const requireGuardrail = createMiddleware<AppEnv>(async (c, next) => {
  const token = c.req.header("x-api-key");
  if (token !== undefined && (await isOneOf(c.get("tokens").guardrail, token))) return next();
  return problem(c, "unauthorized");
});

/** Lets through whoever has one of the tokens; its name becomes the actor. */
function requireToken(accepted: (tokens: Tokens) => readonly NamedToken[]) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const token = bearerOf(c.req.header("Authorization"));
    const owner = token === null ? null : await ownerOf(token, accepted(c.get("tokens")));
    if (owner === null) return noToken(c);
    c.set("actor", { name: owner, requestId: c.get("requestId"), now: c.get("now") });
    return next();
  });
}

const CHALLENGE = { "WWW-Authenticate": 'Bearer realm="bursar"' };

function noToken(c: Context<AppEnv>): Response {
  return problem(c, "unauthorized", { headers: CHALLENGE });
}

export function noKey(c: Context<AppEnv>): Response {
  return problem(c, "unauthorized", { detail: "Send the LiteLLM virtual key as a bearer token.", headers: CHALLENGE });
}

export function unknownKey(c: Context<AppEnv>): Response {
  return problem(c, "unknown-key", { detail: "No tenant has this virtual key.", headers: CHALLENGE });
}

export function tooManyUnknown(c: Context<AppEnv>): Response {
  return problem(c, "too-many-requests", {
    detail: "Too many unknown virtual keys came from this address.",
    headers: { "Retry-After": String(RETRY_UNKNOWN_KEYS_SECONDS) },
  });
}

/** For tokens without a name. Takes the same time for every wrong one. */
export async function isOneOf(allowed: readonly string[], token: string): Promise<boolean> {
  const named = allowed.map((accepted) => ({ name: "", token: accepted }));
  return (await ownerOf(token, named)) !== null;
}

/** Every token is looked at, and digests of equal length are compared, so that time tells nothing. */
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
