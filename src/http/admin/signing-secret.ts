// The secret that signs the events of a webhook channel. Shown once, stored encrypted, never logged.

/** The format of Standard Webhooks: `whsec_` and the random bytes in base64. */
export function signingSecretFrom(random: Uint8Array<ArrayBuffer>): string {
  return `whsec_${btoa(String.fromCharCode(...random))}`;
}
