// Encrypts short texts with AES-GCM under named keys, so that Postgres never holds them in the clear. To allow
// rotation, the first key encrypts and every key decrypts. Never logs.

import type { EncryptionKey } from "../../ports/policy.ts";
import type { Cipher } from "../../ports/ports.ts";

const VERSION = "v1";

/** The nonce length of AES-GCM. Random nonces are safe for 2^32 texts per key, far more than Bursar encrypts. */
const IV_BYTES = 12;

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
  };
}

/** Authenticates version and key id too, so that neither can be swapped. */
function aes(id: string, iv: Uint8Array<ArrayBuffer>) {
  return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(`${VERSION}.${id}`) };
}

function importKey({ key }: EncryptionKey, usage: "encrypt" | "decrypt"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, "AES-GCM", false, [usage]);
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
