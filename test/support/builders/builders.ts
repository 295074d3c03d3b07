// Builders of tenants as Postgres stores them. The defaults are the product's. A test sets only the fields that it is
// about.

import { DEFAULT_BUDGET, type KeyHash, type TenantId } from "../../../src/budget/tenant.ts";
import { STATE_REASONS } from "../../../src/budget/verdict.ts";
import type { Incoming } from "../../../src/flows/spend/merge-batch.ts";
import { type SpendMessage, spendMessageSchema } from "../../../src/ports/messages.ts";
import type { Actor, NewTenant, SyncOutcome, TenantListQuery, TenantRecord } from "../../../src/records/tenant.ts";
import { aTenantConfig, NOW, RESET } from "../../budget/builders.ts";

export const idOf = (text: string) => text as TenantId;

/** A key hash that consists of one hex digit. */
export const hashOf = (digit: string) => digit.repeat(64) as KeyHash;

/** Each change by the actor is an operation of its own, unless the test names one. */
export function anActor(differences: Partial<Actor> = {}): Actor {
  return {
    name: "alice",
    requestId: "request-1",
    now: NOW,
    get operation() {
      return { id: crypto.randomUUID(), idempotency: null };
    },
    ...differences,
  };
}

/** A tenant with its own key, before Bursar has synced LiteLLM. */
export function aNewTenant(differences: Partial<NewTenant> = {}): NewTenant {
  const subject = differences.subject ?? { kind: "key", id: hashOf("a") };
  return {
    ...DEFAULT_BUDGET,
    tenantId: idOf("acme"),
    name: null,
    failPolicy: null,
    refusal: null,
    subject,
    keyHashes: subject.kind === "key" ? [subject.id] : [],
    subjectCreatedAt: NOW,
    budgetResetAt: RESET,
    adopted: false,
    priorValues: null,
    encryptedKey: null,
    spend: null,
    ...differences,
  };
}

/** A tenant whose desired state LiteLLM has. */
export function aTenant(differences: Partial<TenantRecord> = {}): TenantRecord {
  return {
    config: aTenantConfig(),
    spend: null,
    settingsVersion: 1,
    metadata: {},
    sync: { status: "synced", error: null, since: NOW, budgetId: null, hasSetLimits: true, hasBlocked: false },
    adopted: false,
    priorValues: null,
    encryptedKey: null,
    markNonce: "nonce-1",
    periodSeenAt: null,
    deletedAt: null,
    createdAt: NOW,
    updatedAt: NOW,
    ...differences,
  };
}

/** The outcome of a sync that found LiteLLM in the desired state. */
export function aSyncOutcome(differences: Partial<SyncOutcome & { status: "synced" }> = {}) {
  return {
    status: "synced",
    triedAt: NOW,
    readAt: NOW,
    budgetId: null,
    resetsAt: RESET,
    hasMovedReset: false,
    subjectCreatedAt: null,
    ...differences,
  } as const;
}

/** A message of the spend queue as the consumer passes it to the flow. */
export function incomingOf(message: SpendMessage, differences: Partial<Incoming> = {}): Incoming {
  return { body: spendMessageSchema.parse(message), messageId: "m1", isRedelivery: false, ...differences };
}

/** Every tenant by id. */
export function aTenantListQuery(differences: Partial<TenantListQuery> = {}): TenantListQuery {
  return { reasons: STATE_REASONS, search: null, sort: "tenant_id", after: null, limit: 200, ...differences };
}
