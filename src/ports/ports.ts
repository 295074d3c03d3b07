// Every outside thing as a type of verbs. Flows take a `Pick` of Ports, so a flow's signature lists its I/O.
// Unless a verb returns a Result, an outage throws.

import type { NanoUsd } from "../budget/money.ts";
import type { SpendRecord } from "../budget/spend.ts";
import type { Instant, KeyHash, Subject, TenantConfig, TenantId } from "../budget/tenant.ts";
import type { EmailMessage, SlackMessage } from "../notices/notice.ts";
import type { DeliveryKey, SendOutcome } from "../records/alert-record.ts";
import type { CachedTenant, Readiness, RememberedTenant, Tombstone, Written } from "../records/edge-record.ts";
import type { IdempotencyClaim, IdempotencyKey, IdempotentAnswer } from "../records/idempotency-record.ts";
import type { LiteLlmFailure, LiteLlmFields, LiteLlmRow } from "../records/litellm-row.ts";
import type { NoticeMessage, ReadReason, SpendMessage } from "./messages.ts";
import type { Policy } from "./policy.ts";
import type { Result } from "./result.ts";
import type {
  Alerts,
  Audit,
  Channels,
  DeadLetters,
  Deliveries,
  Overrides,
  PlatformAlerts,
  ReadLeases,
  SpendBatches,
  Tenants,
} from "./stores.ts";

export interface Ports {
  readonly memory: Memory;
  readonly snapshots: Snapshots;
  readonly tenants: Tenants;
  readonly overrides: Overrides;
  readonly spendBatches: SpendBatches;
  readonly readLeases: ReadLeases;
  readonly alerts: Alerts;
  readonly platformAlerts: PlatformAlerts;
  readonly deliveries: Deliveries;
  readonly channels: Channels;
  readonly audit: Audit;
  readonly deadLetters: DeadLetters;
  readonly litellm: LiteLlm;
  readonly modelCalls: ModelCalls;
  readonly claims: Claims;
  readonly spendQueue: SpendQueue;
  readonly noticeQueue: NoticeQueue;
  readonly replayQueues: ReplayQueues;
  readonly notifier: Notifier;
  readonly unknownCallers: RateLimit;
  readonly cipher: Cipher;
  readonly timers: Timers;
  /** For the edges, and for measuring; flows get `now` with their input, and look again only after a wait of unknown length. */
  readonly clock: () => Instant;
  readonly background: Background;
  readonly log: Log;
  readonly policy: Policy;
}

/** What this isolate remembers, for everyone it serves: plain data, synchronous, bounded, gone at any time. */
export interface Memory {
  /** `undefined`: not remembered (60 s are over). Null: known to be nobody's. */
  tenantOfKey(keyHash: KeyHash, now: Instant): TenantId | null | undefined;
  rememberTenantOfKey(keyHash: KeyHash, tenantId: TenantId | null, now: Instant): void;
  tenant(tenantId: TenantId): RememberedTenant | null;
  rememberTenant(tenantId: TenantId, known: CachedTenant, checkedAt: Instant): void;
  forgetTenant(tenantId: TenantId): void;
  forgetTenantOfKey(keyHash: KeyHash): void;
  /** A read failed: others need not wait for it. */
  rememberFailedRead(tenantId: TenantId, now: Instant): void;
  forgetFailedRead(tenantId: TenantId): void;
  failedRecently(tenantId: TenantId, now: Instant): boolean;
  /** An address that asked for too many unknown keys. */
  rateLimit(address: string, until: Instant): void;
  isRateLimited(address: string, now: Instant): boolean;
  /** When LiteLLM's outage began, as last read; `undefined` when that was too long ago to count. */
  outage(now: Instant): Instant | null | undefined;
  rememberOutage(startedAt: Instant | null, now: Instant): void;
  /** Null once it is a second old. */
  readiness(now: Instant): Readiness | null;
  /** Null once it is ten seconds old. */
  lastReadiness(now: Instant): Readiness | null;
  rememberReadiness(readiness: Readiness, now: Instant): void;
  /** What this isolate has put into KV; KV itself shows it up to a minute late. */
  written(tenantId: TenantId): Written;
  rememberWritten(tenantId: TenantId, written: Partial<Written>): void;
  /** True once per `seconds` and name: the throttle that holds even without Redis. */
  throttle(name: string, seconds: number, now: Instant): boolean;
}

/** KV: what every colo knows, up to a minute late. No writer replaces a newer value that it sees. */
export interface Snapshots {
  tenantOfKey(keyHash: KeyHash): Promise<TenantId | null>;
  /** A figure is told only with the config of the subject that it belongs to. */
  tenant(tenantId: TenantId): Promise<CachedTenant | Tombstone>;
  /** `expires`: for a key that was found through its team, and may be in another one tomorrow. */
  writeTenantOfKey(keyHash: KeyHash, tenantId: TenantId | null, options?: { expires: boolean }): Promise<void>;
  writeConfig(config: TenantConfig): Promise<void>;
  writeDeleted(tenantId: TenantId, revision: number, deletedAt: Instant): Promise<void>;
  writeSpend(config: TenantConfig, record: SpendRecord): Promise<void>;
  outageStartedAt(): Promise<Instant | null>;
  writeOutage(startedAt: Instant | null): Promise<void>;
  ping(): Promise<void>;
}

/** LiteLLM's management API. Never logs a key; never retries what LiteLLM refused. */
export interface LiteLlm {
  /**
   * Reads the subject's spend and limits. `tries` counts all tries (5xx, 429, time-out, network and nonsense are tried
   * again, with exponential backoff and jitter); `onFailedTry` hears of each failed one at once.
   */
  readSubject(
    subject: Subject,
    options: { tries: number; onFailedTry?: (failure: LiteLlmFailure) => void },
  ): Promise<Result<LiteLlmRow, LiteLlmFailure>>;
  /** Reads many keys with one try. Those that LiteLLM does not know, or says nonsense of, are left out. */
  readKeys(keyHashes: readonly KeyHash[]): Promise<Result<readonly LiteLlmRow[], LiteLlmFailure>>;
  createKey(key: string, fields: LiteLlmFields & { keyAlias: string }): Promise<Result<LiteLlmRow, LiteLlmFailure>>;
  /** Sends the given fields only; null clears. */
  updateSubject(subject: Subject, fields: Partial<LiteLlmFields>): Promise<Result<void, LiteLlmFailure>>;
  updateSoftBudget(budgetId: string, softBudgetNanoUsd: NanoUsd): Promise<Result<void, LiteLlmFailure>>;
  deleteKey(keyHash: KeyHash): Promise<Result<void, LiteLlmFailure>>;
  /** Zeroes what a key has spent; what LiteLLM has not written yet comes on top within 15 s. Of a team nobody can. */
  resetSpend(keyHash: KeyHash): Promise<Result<void, LiteLlmFailure>>;
  ping(): Promise<Result<void, LiteLlmFailure>>;
}

/** LiteLLM as an agent calls it. Streams both ways, and never calls twice: the first one may have been charged. */
export interface ModelCalls {
  forward(call: ModelCall): Promise<ModelAnswer>;
}

export interface ModelCall {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: ReadableStream | null;
  /** Of the agent that may leave. */
  readonly signal: AbortSignal;
}

export type ModelAnswer =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly headers: Headers;
      readonly body: ReadableStream | null;
      /** What LiteLLM says that the key has spent; null when it does not say. */
      readonly keySpendNanoUsd: NanoUsd | null;
      /** LiteLLM's words when it refuses for a budget of its own; else null. */
      readonly budgetRefusal: string | null;
      /** Of a stream: settles when its last piece is out or its reader has left. Never rejects. */
      readonly ended: Promise<void> | null;
    }
  | { readonly kind: "unreachable"; readonly why: string };

/** Upstash Redis. Slow counts as down: callers go on without it. */
export interface Claims {
  /** True when nobody else reads this tenant in this colo for so many seconds. */
  claimRefresh(tenantId: TenantId, colo: string, seconds: number): Promise<boolean>;
  /** Claims an idempotency key, or tells what was done under it. */
  claimIdempotency(key: IdempotencyKey, bodyHash: string): Promise<IdempotencyClaim>;
  finishIdempotency(key: IdempotencyKey, bodyHash: string, answer: IdempotentAnswer | null): Promise<void>;
  /** By which message each was done with within ten minutes, in their order; null: by none. A name: whom it tells of, and its id. */
  webhooksDone(names: readonly string[]): Promise<readonly (string | null)[]>;
  noteWebhooksDone(messageIds: ReadonlyMap<string, string>): Promise<void>;
  /** True while a later read of the tenant is on its way, so that no second one need be. */
  isReadScheduled(tenantId: TenantId, reason: ReadReason): Promise<boolean>;
  noteScheduledRead(tenantId: TenantId, reason: ReadReason, seconds: number): Promise<void>;
  /** `claimed` also for the message that has the claim already. */
  claimNotice(key: DeliveryKey, messageId: string): Promise<"claimed" | "sending" | "sent">;
  noteNoticeSent(key: DeliveryKey): Promise<void>;
  releaseNotice(key: DeliveryKey): Promise<void>;
  ping(): Promise<void>;
}

export interface SpendQueue {
  send(message: SpendMessage, delaySeconds?: number): Promise<void>;
  /** `delaySecondsOf`: how long each of them stays on the queue, by its index; none at all without it. */
  sendAll(messages: readonly SpendMessage[], delaySecondsOf?: (index: number) => number): Promise<void>;
}

export interface NoticeQueue {
  sendAll(messages: readonly NoticeMessage[]): Promise<void>;
}

export interface ReplayQueues {
  /** Sends a dead letter's body to its queue again; false when the queue is none of ours. */
  send(queue: string, body: unknown): Promise<boolean>;
}

/** The ways to people. Https only, follows no redirect; never logs a target. */
export interface Notifier {
  slack(url: string, message: SlackMessage): Promise<SendOutcome>;
  /** `idempotencyKey`: the same notice is not delivered twice where the provider knows such keys. */
  email(to: readonly string[], message: EmailMessage, idempotencyKey: string): Promise<SendOutcome>;
  /** `webhookId` is the same for every attempt at one notice: receivers dedupe by it. `sentAt` goes into the signature. */
  webhook(
    url: string,
    secret: string,
    event: { body: string; webhookId: string; sentAt: Instant },
  ): Promise<SendOutcome>;
}

/** Counts a caller; false once it has come too often. */
export interface RateLimit {
  allows(caller: string): Promise<boolean>;
}

/** AES-GCM under a named key, for what must not lie in Postgres in the clear. */
export interface Cipher {
  encrypt(text: string): Promise<string>;
  open(encrypted: string): Promise<string>;
}

export interface Timers {
  after(ms: number): { readonly passed: Promise<"passed">; cancel(): void };
}

/** Lets work go on after the answer; a failure in it is logged under `what`, never thrown. */
export type Background = (what: string, work: Promise<unknown>) => void;

export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  /** `cause`: what was caught; null when nothing was thrown. */
  error(event: string, cause: unknown, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;
