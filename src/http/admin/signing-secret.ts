// The secret with which the events of a webhook channel are signed. Shown once, stored sealed, never logged.

/** As Standard Webhooks writes it: `whsec_` and the random bytes as base64. */
export function signingSecretFrom(random: Uint8Array<ArrayBuffer>): string {
  return `whsec_${btoa(String.fromCharCode(...random))}`;
}
