// Seals short texts with AES-GCM under named keys, so that Postgres never holds them in the clear. The first key seals,
// any of them opens: that is how keys are rotated. Never logs, never answers with anything but what was sealed.

import type { SealingKey } from "../../ports/policy.ts";
import type { Sealer } from "../../ports/ports.ts";

const VERSION = "v1";

/** The nonce AES-GCM is made for. Random ones are safe for far more seals per key than there will ever be. */
const IV_BYTES = 12;

/** Sealed text: `v1.<key id>.<base64url iv>.<base64url ciphertext>`. @throws on an empty list. */
export function aesSealer(keys: readonly SealingKey[]): Sealer {
  const [sealing] = keys;
  if (sealing === undefined) throw new Error("there is no key to seal with");
  return {
    async seal(text) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const key = await importKey(sealing, "encrypt");
      const sealed = await crypto.subtle.encrypt(aes(sealing.id, iv), key, new TextEncoder().encode(text));
      return [VERSION, sealing.id, toBase64Url(iv), toBase64Url(new Uint8Array(sealed))].join(".");
    },
    async open(sealed) {
      const [version, id, iv, body, ...rest] = sealed.split(".");
      const opening = keys.find((key) => key.id === id);
      if (version !== VERSION || iv === undefined || body === undefined || rest.length > 0) {
        throw new Error("not a sealed text");
      }
      if (opening === undefined) throw new Error(`sealed under a key that is not configured: ${id}`);
      const key = await importKey(opening, "decrypt");
      const text = await crypto.subtle.decrypt(aes(opening.id, fromBase64Url(iv)), key, fromBase64Url(body));
      return new TextDecoder().decode(text);
    },
  };
}

/** The head is authenticated too: a text cannot be passed off as sealed under another id. */
function aes(id: string, iv: Uint8Array<ArrayBuffer>) {
  return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(`${VERSION}.${id}`) };
}

function importKey({ key }: SealingKey, usage: "encrypt" | "decrypt"): Promise<CryptoKey> {
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
