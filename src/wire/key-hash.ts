// The hash of a LiteLLM virtual key: the only maker of a `KeyHash` from a request. A raw key goes no further than the
// endpoint that receives it: not to a queue, a store or a log.

import type { KeyHash } from "../budget/tenant.ts";

const KEY_HASH = /^[0-9a-f]{64}$/i;

/** `task-1` and `desk-2` hold no key. */
const RAW_KEY = /(?<![A-Za-z0-9])sk-/;

/** SHA-256 in lower-case hex, as LiteLLM stores it in place of the key. */
export async function keyHashOf(virtualKey: string): Promise<KeyHash> {
  return (await sha256Hex(virtualKey)) as KeyHash;
}

/**
 * The hash that a field for a key names, in lower case. A field that holds a raw key, such as `Bearer sk-…`, is hashed.
 * Null for anything else.
 */
export async function keyHashFrom(named: unknown): Promise<KeyHash | null> {
  if (typeof named !== "string") return null;
  if (KEY_HASH.test(named)) return named.toLowerCase() as KeyHash;
  return named.includes("sk-") ? keyHashOf(named.replace(/^\s*Bearer\s+/i, "").trim()) : null;
}

/** Whether a text that should name something else holds a raw virtual key. */
export function holdsVirtualKey(text: string): boolean {
  return RAW_KEY.test(text);
}

/** 64 lower-case hex digits. */
export async function sha256Hex(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
