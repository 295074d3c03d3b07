// What a deployment decides for itself, as far as more than config.ts has to know it. Types only.

import type { FailPolicy } from "../budget/tenant.ts";

/** The deployment's own choices about failure and waiting. */
export interface Policy {
  readonly defaultFailPolicy: FailPolicy;
  /** What becomes of a call with a key that is no tenant's, where Bursar stands in its way: Guard and Gate. */
  readonly unmanagedKeys: "allow" | "block";
  /** 0: open never turns closed. */
  readonly failOpenMinutes: number;
  /** From a check's arrival to its answer, whatever breaks. */
  readonly checkDeadlineMs: number;
  /** How long after an alert LiteLLM's repetition of it is a new one. */
  readonly alertRepeatSeconds: number;
  /** Whether notices may go to plain http and to private hosts: on a developer's machine only. */
  readonly allowsLocalTargets: boolean;
}

/** A token and whose it is; the name goes into the audit. */
export interface NamedToken {
  readonly name: string;
  readonly token: string;
}

export interface Tokens {
  readonly admin: readonly NamedToken[];
  readonly read: readonly NamedToken[];
  /** LiteLLM's side: what signs a webhook, what stands in its URL, the bearer of events, the guardrail's x-api-key. */
  readonly webhookSecrets: Rotated;
  readonly webhookUrl: Rotated;
  readonly events: Rotated;
  readonly guardrail: Rotated;
}

/** Any of them counts; the first is the present one. */
export type Rotated = readonly [string, ...string[]];

/** A key of the sealer: the first of a list seals, all of them open. */
export interface EncryptionKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array<ArrayBuffer>;
}

/** How this deployment sends e-mail. */
export interface EmailProvider {
  /** `Bursar <budgets@example.com>`; null: e-mail is not configured. */
  readonly from: string | null;
  /** Null: the `EMAIL` binding sends. */
  readonly resend: { readonly url: string; readonly apiKey: string } | null;
  /** What stands for the `EMAIL` binding on a developer's machine; null elsewhere. */
  readonly bindingEndpoint: string | null;
}
