// The virtual key of a new tenant: chosen by us, so that LiteLLM need not tell it. Never stored, never logged.

/** `sk-` and the 32 random bytes as base64url: 43 characters. LiteLLM takes no key without the prefix. */
export function virtualKeyFrom(random: Uint8Array<ArrayBuffer>): string {
  const text = btoa(String.fromCharCode(...random));
  return `sk-${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}
