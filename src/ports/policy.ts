// The settings of a deployment that code beyond config.ts uses. Types only.

import type { FailPolicy } from "../budget/tenant.ts";

/** The deployment's settings for failures, deadlines and notices. */
export interface Policy {
  readonly defaultFailPolicy: FailPolicy;
  /** What Guard and Gate do with a call whose key belongs to no tenant. */
  readonly unmanagedKeys: "allow" | "block";
  /** How long `open` holds during an outage of LiteLLM before it turns to `closed`; 0: for ever. */
  readonly failOpenMinutes: number;
  /** The deadline of a check, from its arrival to its answer. */
  readonly checkDeadlineMs: number;
  /** LiteLLM's alerts within this time of an equal one are repetitions, and are skipped. */
  readonly alertRepeatSeconds: number;
  /** The origins whose browsers may call Gate; `*` alone: every origin; empty: none. */
  readonly corsOrigins: readonly string[];
  /** True on a developer's machine only: notices may go to plain http and to private hosts. */
  readonly allowsLocalTargets: boolean;
  /** Where Bursar's pages are, without a slash at the end; null: notices have no button. */
  readonly publicUrl: string | null;
}

/** A token with its name, which the audit log shows as the actor. */
export interface NamedToken {
  readonly name: string;
  readonly token: string;
}

export interface Tokens {
  readonly admin: readonly NamedToken[];
  readonly read: readonly NamedToken[];
  /**
   * LiteLLM's credentials: a webhook's signature, a webhook's URL token, the bearer of events, the guardrail's
   * x-api-key.
   */
  readonly webhookSecrets: Rotated;
  readonly webhookUrl: Rotated;
  readonly events: Rotated;
  readonly guardrail: Rotated;
}

/** Secrets in rotation: every one is accepted; the first is the current one. */
export type Rotated = readonly [string, ...string[]];

/** A key of the cipher: the first of a list encrypts, every one decrypts. */
export interface EncryptionKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array<ArrayBuffer>;
}

/** How the deployment sends e-mail. */
export interface EmailProvider {
  /** `Bursar <budgets@example.com>`; null: e-mail is not configured. */
  readonly from: string | null;
  /** Null: the `EMAIL` binding sends. */
  readonly resend: { readonly url: string; readonly apiKey: string } | null;
  /** Replaces the `EMAIL` binding on a developer's machine; null elsewhere. */
  readonly bindingEndpoint: string | null;
}
