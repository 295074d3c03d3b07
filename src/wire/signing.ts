// Signatures of webhooks in both directions: HMAC-SHA256 over raw bytes, by Standard Webhooks or as one hex header.
// Pure but for Web Crypto. Compares in constant time, never tells which secret or signature it was, logs nothing.

import type { Instant } from "../budget/instant.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Either way: clocks differ, and what is older is a replay. */
const TOLERANCE_SECONDS = 300;

/** A sender that changes its secret signs twice. A header full of signatures is work for us and nothing else. */
const MAX_SIGNATURES = 16;

const HMAC = { name: "HMAC", hash: "SHA-256" } as const;
const WEBHOOK_ID = /^[\x21-\x7e]{1,255}$/;
const SECONDS = /^(?:0|[1-9]\d{0,11})$/;

/** 32 bytes, written in the one canonical way: without spare bits there is one text to a signature. */
const BASE64_SHA256 = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const HEX_SHA256 = /^(?:sha256=)?([0-9a-fA-F]{64})$/;

export interface StandardWebhookHeaders {
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
}

/** Keys by the list of secrets that they are of, which lives as long as the configuration does. */
const imported = new WeakMap<readonly string[], readonly CryptoKey[]>();

/** The value of `webhook-signature`. @throws when the secret holds no key. */
export async function signStandardWebhook(
  secret: string,
  { id, timestampSeconds, body }: { id: string; timestampSeconds: number; body: string },
): Promise<string> {
  const key = await importKey(secret);
  if (key === null) throw new Error("a webhook secret holds no key");
  const content = signedContent(id, String(timestampSeconds), new TextEncoder().encode(body));
  const signature = new Uint8Array(await crypto.subtle.sign(HMAC, key, content));
  return `v1,${btoa(String.fromCharCode(...signature))}`;
}

/** The webhook's id and when it was signed; null unless one of its signatures is by one of the secrets. */
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

/** True when `signature` (`[sha256=]<hex>`) is of the body and by one of the secrets. */
export async function verifyHexSignature(
  secrets: readonly string[],
  { signature = "", body }: { signature: string | undefined; body: Bytes },
): Promise<boolean> {
  const hex = HEX_SHA256.exec(signature)?.[1];
  return hex !== undefined && isAnyOf(secrets, [bytesFromHex(hex)], body);
}

/** Looks at every secret and every signature, so that time does not tell which it was. */
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

/** Null for a secret that holds no key: anybody could sign by the empty one. */
async function importKey(secret: string): Promise<CryptoKey | null> {
  const bytes = keyBytes(secret);
  if (bytes === null || bytes.length === 0) return null;
  return crypto.subtle.importKey("raw", bytes, HMAC, false, ["sign", "verify"]);
}

/** `whsec_` says that the rest is base64; any other secret is its own bytes. */
function keyBytes(secret: string): Bytes | null {
  if (!secret.startsWith("whsec_")) return new Uint8Array(new TextEncoder().encode(secret));
  try {
    return bytesFromBase64(secret.slice("whsec_".length));
  } catch {
    return null;
  }
}

/** The text of Standard Webhooks over the body's own bytes: a body that is not UTF-8 must not become another. */
function signedContent(id: string, timestamp: string, body: Uint8Array): Bytes {
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  return content;
}

/** Versions that we do not know are not for us. */
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
