// Seals short texts with AES-GCM under named keys, so that Postgres never holds them in the clear. The first key seals,
// any of them opens: that is how keys are rotated. Never logs, never answers with anything but what was sealed.

import type { EncryptionKey } from "../../ports/policy.ts";
import type { Cipher } from "../../ports/ports.ts";

const VERSION = "v1";

/** The nonce AES-GCM is made for. Random ones are safe for far more seals per key than there will ever be. */
const IV_BYTES = 12;

/** Sealed text: `v1.<key id>.<base64url iv>.<base64url ciphertext>`. @throws on an empty list. */
export function aesCipher(keys: readonly EncryptionKey[]): Cipher {
  const [encrypting] = keys;
  if (encrypting === undefined) throw new Error("there is no key to seal with");
  return {
    async encrypt(text) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const key = await importKey(encrypting, "encrypt");
      const encrypted = await crypto.subtle.encrypt(aes(encrypting.id, iv), key, new TextEncoder().encode(text));
      return [VERSION, encrypting.id, toBase64Url(iv), toBase64Url(new Uint8Array(encrypted))].join(".");
    },
    async open(encrypted) {
      const [version, id, iv, body, ...rest] = encrypted.split(".");
      const decrypting = keys.find((key) => key.id === id);
      if (version !== VERSION || iv === undefined || body === undefined || rest.length > 0) {
        throw new Error("not a sealed text");
      }
      if (decrypting === undefined) throw new Error(`sealed under a key that is not configured: ${id}`);
      const key = await importKey(decrypting, "decrypt");
      const text = await crypto.subtle.decrypt(aes(decrypting.id, fromBase64Url(iv)), key, fromBase64Url(body));
      return new TextDecoder().decode(text);
    },
  };
}

/** The head is authenticated too: a text cannot be passed off as sealed under another id. */
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
