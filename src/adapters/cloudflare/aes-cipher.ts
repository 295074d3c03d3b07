// Encrypts short texts with AES-GCM under named keys, so that Postgres never holds them in the clear, and signs texts
// with keys derived from the same list. To allow rotation, the first key encrypts and signs, and every key decrypts and
// verifies. Never logs.

import type { EncryptionKey } from "../../ports/policy.ts";
import type { Cipher } from "../../ports/ports.ts";

const VERSION = "v1";

/** The nonce length of AES-GCM. Random nonces are safe for 2^32 texts per key, far more than Bursar encrypts. */
const IV_BYTES = 12;

/** Names what the derived keys are for, so that no other use of the list derives the same ones. */
const SIGNING_INFO = new TextEncoder().encode("bursar signature v1");

/** Encrypted text: `v1.<key id>.<base64url iv>.<base64url ciphertext>`. @throws on an empty list. */
export function aesCipher(keys: readonly EncryptionKey[]): Cipher {
  const [encrypting] = keys;
  if (encrypting === undefined) throw new Error("no encryption key is configured");
  return {
    async encrypt(text) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const key = await importKey(encrypting, "encrypt");
      const encrypted = await crypto.subtle.encrypt(aes(encrypting.id, iv), key, new TextEncoder().encode(text));
      return [VERSION, encrypting.id, toBase64Url(iv), toBase64Url(new Uint8Array(encrypted))].join(".");
    },
    async decrypt(encrypted) {
      const [version, id, iv, body, ...rest] = encrypted.split(".");
      const decrypting = keys.find((key) => key.id === id);
      if (version !== VERSION || iv === undefined || body === undefined || rest.length > 0) {
        throw new Error("malformed encrypted text");
      }
      if (decrypting === undefined) throw new Error(`encryption key ${id} is not configured`);
      const key = await importKey(decrypting, "decrypt");
      const text = await crypto.subtle.decrypt(aes(decrypting.id, fromBase64Url(iv)), key, fromBase64Url(body));
      return new TextDecoder().decode(text);
    },
    async sign(text) {
      const key = await signingKey(encrypting, "sign");
      return toBase64Url(new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text))));
    },
    async verify(text, signature) {
      const bytes = bytesOrNull(signature);
      if (bytes === null) return false;
      for (const each of keys) {
        const key = await signingKey(each, "verify");
        if (await crypto.subtle.verify("HMAC", key, bytes, new TextEncoder().encode(text))) return true;
      }
      return false;
    },
  };
}

/** Authenticates version and key id too, so that neither can be swapped. */
function aes(id: string, iv: Uint8Array<ArrayBuffer>) {
  return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(`${VERSION}.${id}`) };
}

function importKey({ key }: EncryptionKey, usage: "encrypt" | "decrypt"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, "AES-GCM", false, [usage]);
}

/** Derived by HKDF, because no key may serve two algorithms. */
async function signingKey({ key }: EncryptionKey, usage: "sign" | "verify"): Promise<CryptoKey> {
  const secret = await crypto.subtle.importKey("raw", key, "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: SIGNING_INFO };
  return crypto.subtle.deriveKey(derivation, secret, { name: "HMAC", hash: "SHA-256", length: 256 }, false, [usage]);
}

/** Null for text that is no base64url: it comes from LiteLLM's metadata, where anything may stand. */
function bytesOrNull(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return fromBase64Url(text);
  } catch {
    return null;
  }
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}
