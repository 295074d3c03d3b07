// The virtual key of a new tenant. Bursar generates it, so LiteLLM need not return it. Never stored in the clear or
// logged.

/** `sk-` and the 32 random bytes in base64url: 43 characters. LiteLLM refuses a key without the prefix. */
export function virtualKeyFrom(random: Uint8Array<ArrayBuffer>): string {
  const text = btoa(String.fromCharCode(...random));
  return `sk-${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}
