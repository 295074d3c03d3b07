// Signs and verifies webhooks: HMAC-SHA256 over raw bytes, by Standard Webhooks or as one hex header.
// Pure apart from Web Crypto. Compares in constant time, never reveals which secret or signature matched, logs nothing.

import type { Instant } from "../budget/instant.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** In both directions: clocks differ, and an older timestamp means a replay. */
const TOLERANCE_SECONDS = 300;

/** A sender that rotates its secret signs twice. More signatures than this only cost us CPU time. */
const MAX_SIGNATURES = 16;

const HMAC = { name: "HMAC", hash: "SHA-256" } as const;
const WEBHOOK_ID = /^[\x21-\x7e]{1,255}$/;
const SECONDS = /^(?:0|[1-9]\d{0,11})$/;

/** Canonical base64 of 32 bytes: with the spare bits zero, a signature has exactly one text. */
const BASE64_SHA256 = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const HEX_SHA256 = /^(?:sha256=)?([0-9a-fA-F]{64})$/;

export interface StandardWebhookHeaders {
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
}

/** Imported keys by their list of secrets, which lives as long as the configuration. */
const imported = new WeakMap<readonly string[], readonly CryptoKey[]>();

/** The value of `webhook-signature`. @throws when the secret is empty or malformed. */
export async function signStandardWebhook(
  secret: string,
  { id, timestampSeconds, body }: { id: string; timestampSeconds: number; body: string },
): Promise<string> {
  const key = await importKey(secret);
  if (key === null) throw new Error("the webhook secret is empty or malformed");
  const content = signedContent(id, String(timestampSeconds), new TextEncoder().encode(body));
  const signature = new Uint8Array(await crypto.subtle.sign(HMAC, key, content));
  return `v1,${btoa(String.fromCharCode(...signature))}`;
}

/** The webhook's id and time of signature; null unless one of its signatures matches one of the secrets. */
export async function verifyStandardWebhook(
  secrets: readonly string[],
  { headers, body, now }: { headers: StandardWebhookHeaders; body: Bytes; now: Instant },
): Promise<{ id: string; signedAt: Instant } | null> {
  const { id = "", timestamp = "", signature = "" } = headers;
  if (!WEBHOOK_ID.test(id) || !SECONDS.test(timestamp)) return null;
  if (Math.abs(Math.floor(now / 1_000) - Number(timestamp)) > TOLERANCE_SECONDS) return null;
  const signatures = signature.split(" ").flatMap(signatureFromV1);
  if (signatures.length > MAX_SIGNATURES) return null;
  const isSigned = await isAnyOf(secrets, signatures, signedContent(id, timestamp, body));
  return isSigned ? { id, signedAt: Number(timestamp) * 1_000 } : null;
}

/** True when `signature` (`[sha256=]<hex>`) matches the body under one of the secrets. */
export async function verifyHexSignature(
  secrets: readonly string[],
  { signature = "", body }: { signature: string | undefined; body: Bytes },
): Promise<boolean> {
  const hex = HEX_SHA256.exec(signature)?.[1];
  return hex !== undefined && isAnyOf(secrets, [bytesFromHex(hex)], body);
}

/** Tries every secret with every signature, so that the time taken does not reveal which matched. */
async function isAnyOf(secrets: readonly string[], signatures: readonly Bytes[], content: Bytes): Promise<boolean> {
  let found = false;
  for (const key of await keysOf(secrets)) {
    for (const signature of signatures) {
      if (await crypto.subtle.verify(HMAC, key, signature, content)) found = true;
    }
  }
  return found;
}

async function keysOf(secrets: readonly string[]): Promise<readonly CryptoKey[]> {
  const known = imported.get(secrets);
  if (known !== undefined) return known;
  const keys = (await Promise.all(secrets.map(importKey))).filter((key) => key !== null);
  imported.set(secrets, keys);
  return keys;
}

/** Null for an empty or malformed secret: anyone could sign with the empty key. */
async function importKey(secret: string): Promise<CryptoKey | null> {
  const bytes = keyBytes(secret);
  if (bytes === null || bytes.length === 0) return null;
  return crypto.subtle.importKey("raw", bytes, HMAC, false, ["sign", "verify"]);
}

/** After `whsec_` the secret is base64; any other secret is used as its UTF-8 bytes. */
function keyBytes(secret: string): Bytes | null {
  if (!secret.startsWith("whsec_")) return new Uint8Array(new TextEncoder().encode(secret));
  try {
    return bytesFromBase64(secret.slice("whsec_".length));
  } catch {
    return null;
  }
}

/** The signed content of Standard Webhooks, over the raw bytes: decoding would change a body that is not UTF-8. */
function signedContent(id: string, timestamp: string, body: Uint8Array): Bytes {
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  return content;
}

/** Ignores signatures of other versions. */
function signatureFromV1(versioned: string): Bytes[] {
  const text = versioned.startsWith("v1,") ? versioned.slice("v1,".length) : "";
  return BASE64_SHA256.test(text) ? [bytesFromBase64(text)] : [];
}

function bytesFromBase64(text: string): Bytes {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function bytesFromHex(hex: string): Bytes {
  return Uint8Array.from({ length: hex.length / 2 }, (_, index) =>
    Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16),
  );
}
