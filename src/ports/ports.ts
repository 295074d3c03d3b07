// Every external dependency as an interface. Flows take a `Pick` of Ports, so a flow's signature lists its I/O.
// Unless a method returns a Result, an outage throws.

import type { Instant } from "../budget/instant.ts";
import type { NanoUsd } from "../budget/money.ts";
import type { SpendRecord } from "../budget/spend.ts";
import type { KeyHash, Subject, TenantConfig, TenantId } from "../budget/tenant.ts";
import type { EmailMessage, SlackMessage } from "../notices/notice.ts";
import type { DeliveryKey, SendOutcome } from "../records/delivery.ts";
import type { CachedTenant, Readiness, RememberedTenant, Tombstone, Written } from "../records/edge.ts";
import type { IdempotencyClaim, IdempotencyKey, IdempotentAnswer } from "../records/idempotency.ts";
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
  Ledgers,
  Overrides,
  PlatformAlerts,
  ReadLeases,
  SpendBatches,
  TenantKeys,
  Tenants,
} from "./stores.ts";

export interface Ports {
  readonly memory: Memory;
  readonly snapshots: Snapshots;
  readonly tenants: Tenants;
  readonly tenantKeys: TenantKeys;
  readonly overrides: Overrides;
  readonly spendBatches: SpendBatches;
  readonly ledgers: Ledgers;
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
  /** For entry points and measurements. Flows get `now` as input, and read the clock only after waiting on I/O. */
  readonly clock: () => Instant;
  readonly background: Background;
  readonly log: Log;
  readonly policy: Policy;
}

/**
 * The isolate's memory, shared by its requests: plain data, synchronous, bounded, and lost whenever the isolate ends.
 */
export interface Memory {
  /** `undefined`: not remembered, or older than 60 s. Null: the key belongs to no tenant. */
  tenantOfKey(keyHash: KeyHash, now: Instant): TenantId | null | undefined;
  rememberTenantOfKey(keyHash: KeyHash, tenantId: TenantId | null, now: Instant): void;
  tenant(tenantId: TenantId): RememberedTenant | null;
  rememberTenant(tenantId: TenantId, known: CachedTenant, checkedAt: Instant): void;
  forgetTenant(tenantId: TenantId): void;
  forgetTenantOfKey(keyHash: KeyHash): void;
  /** Records a failed read, so that other checks do not wait for the same failure. */
  rememberFailedRead(tenantId: TenantId, now: Instant): void;
  forgetFailedRead(tenantId: TenantId): void;
  failedRecently(tenantId: TenantId, now: Instant): boolean;
  /** Limits an address that sent too many unknown keys. */
  rateLimit(address: string, until: Instant): void;
  isRateLimited(address: string, now: Instant): boolean;
  /** When LiteLLM's outage began, null when there is none; `undefined` when the last read is too old. */
  outage(now: Instant): Instant | null | undefined;
  rememberOutage(startedAt: Instant | null, now: Instant): void;
  /** Null when it is older than a second. */
  readiness(now: Instant): Readiness | null;
  /** Null when it is older than ten seconds. */
  lastReadiness(now: Instant): Readiness | null;
  rememberReadiness(readiness: Readiness, now: Instant): void;
  /** What this isolate last wrote to KV; KV itself shows it up to a minute late. */
  written(tenantId: TenantId): Written;
  rememberWritten(tenantId: TenantId, written: Partial<Written>): void;
  /** True once per `seconds` and name, in this isolate. Works without Redis. */
  throttle(name: string, seconds: number, now: Instant): boolean;
}

/** KV, read by every colo, up to a minute late. A writer never replaces a newer value that it can see. */
export interface Snapshots {
  tenantOfKey(keyHash: KeyHash): Promise<TenantId | null>;
  /** Returns spend only if it belongs to the config's subject. */
  tenant(tenantId: TenantId): Promise<CachedTenant | Tombstone>;
  /** `expires`: for a key resolved through its team, because the key may move to another team. */
  writeTenantOfKey(keyHash: KeyHash, tenantId: TenantId | null, options?: { expires: boolean }): Promise<void>;
  writeConfig(config: TenantConfig): Promise<void>;
  writeDeleted(tenantId: TenantId, revision: number, deletedAt: Instant): Promise<void>;
  writeSpend(config: TenantConfig, record: SpendRecord): Promise<void>;
  outageStartedAt(): Promise<Instant | null>;
  writeOutage(startedAt: Instant | null): Promise<void>;
  ping(): Promise<void>;
}

/** A key, and what Bursar knows of its row: some versions of LiteLLM do not say which key a row is of. */
export interface KeyToRead {
  readonly keyHash: KeyHash;
  readonly tenantId: TenantId;
  readonly createdAt: Instant;
}

/** LiteLLM's management API. Never logs a key; never retries what LiteLLM refused. */
export interface LiteLlm {
  /**
   * Reads the subject's spend and limits. `tries` is the total number of tries: 5xx, 429, time-outs, network errors and
   * unparseable answers are retried with exponential backoff and jitter. Each failed try calls `onFailedTry` at once.
   */
  readSubject(
    subject: Subject,
    options: { tries: number; onFailedTry?: (failure: LiteLlmFailure) => void },
  ): Promise<Result<LiteLlmRow, LiteLlmFailure>>;
  /**
   * Reads many keys in one request, with one try. A key that is not in the answer may be unknown, unparseable or
   * unmatched: only {@link readSubject} can tell.
   */
  readKeys(keys: readonly KeyToRead[]): Promise<Result<ReadonlyMap<KeyHash, LiteLlmRow>, LiteLlmFailure>>;
  createKey(key: string, fields: LiteLlmFields & { keyAlias: string }): Promise<Result<LiteLlmRow, LiteLlmFailure>>;
  /** Sends only the given fields; null clears a field. */
  updateSubject(subject: Subject, fields: Partial<LiteLlmFields>): Promise<Result<void, LiteLlmFailure>>;
  updateSoftBudget(budgetId: string, softBudgetNanoUsd: NanoUsd): Promise<Result<void, LiteLlmFailure>>;
  deleteKey(keyHash: KeyHash): Promise<Result<void, LiteLlmFailure>>;
  /** Zeroes the spend of a key. LiteLLM adds spend that it has not written yet within 25 s. It cannot zero a team. */
  resetSpend(keyHash: KeyHash): Promise<Result<void, LiteLlmFailure>>;
  ping(): Promise<Result<void, LiteLlmFailure>>;
}

/**
 * LiteLLM's model routes, called for an agent. Streams both ways. Never retries: the first call may have been charged.
 */
export interface ModelCalls {
  forward(call: ModelCall): Promise<ModelAnswer>;
}

export interface ModelCall {
  readonly method: string;
  /** Includes the query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: ReadableStream | null;
  /** Aborts when the agent disconnects. */
  readonly signal: AbortSignal;
}

export type ModelAnswer =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly headers: Headers;
      readonly body: ReadableStream | null;
      /** What the call cost, as LiteLLM's answer says; null when it does not, as of a stream. */
      readonly costNanoUsd: NanoUsd | null;
      /** True when LiteLLM refuses the call for a budget. Its message may hold key hashes, so it goes no further. */
      readonly isBudgetRefusal: boolean;
      /** For a stream: resolves when its last chunk is sent or its reader disconnects. Never rejects. */
      readonly ended: Promise<void> | null;
    }
  | { readonly kind: "unreachable"; readonly why: string };

/** Upstash Redis. A slow answer counts as an outage, and callers continue without Redis. */
export interface Claims {
  /** True for the one caller that may read this tenant in this colo during the next `seconds`. */
  claimRefresh(tenantId: TenantId, colo: string, seconds: number): Promise<boolean>;
  /** Claims an idempotency key, or returns the state of the request that holds it. */
  claimIdempotency(key: IdempotencyKey, bodyHash: string): Promise<IdempotencyClaim>;
  finishIdempotency(key: IdempotencyKey, bodyHash: string, answer: IdempotentAnswer | null): Promise<void>;
  /**
   * For each webhook name (reference and id), in order: the message that handled it in the last ten minutes, or null.
   */
  recordedWebhooks(names: readonly string[]): Promise<readonly (string | null)[]>;
  rememberRecordedWebhooks(messageIds: ReadonlyMap<string, string>): Promise<void>;
  /** True while a scheduled read of the tenant is already queued. */
  isReadScheduled(tenantId: TenantId, reason: ReadReason): Promise<boolean>;
  noteScheduledRead(tenantId: TenantId, reason: ReadReason, seconds: number): Promise<void>;
  /** `claimed` also for the message that already holds the claim. */
  claimNotice(key: DeliveryKey, messageId: string): Promise<"claimed" | "sending" | "sent">;
  noteNoticeSent(key: DeliveryKey): Promise<void>;
  releaseNotice(key: DeliveryKey): Promise<void>;
  ping(): Promise<void>;
}

export interface SpendQueue {
  send(message: SpendMessage, delaySeconds?: number): Promise<void>;
  /** `delaySecondsOf`: the delivery delay of each message, by index; without it there is none. */
  sendAll(messages: readonly SpendMessage[], delaySecondsOf?: (index: number) => number): Promise<void>;
}

export interface NoticeQueue {
  sendAll(messages: readonly NoticeMessage[]): Promise<void>;
}

export interface ReplayQueues {
  /** Sends a dead letter's body to its queue again; false when this deployment has no such queue. */
  send(queue: string, body: unknown): Promise<boolean>;
}

/** Sends notices. Https only; follows no redirect; never logs a target. */
export interface Notifier {
  slack(url: string, message: SlackMessage): Promise<SendOutcome>;
  /** `idempotencyKey`: providers that support it deliver the notice once. */
  email(to: readonly string[], message: EmailMessage, idempotencyKey: string): Promise<SendOutcome>;
  /** `webhookId` is the same for every attempt at one notice, so receivers dedupe by it. `sentAt` is signed too. */
  webhook(
    url: string,
    secret: string,
    event: { body: string; webhookId: string; sentAt: Instant },
  ): Promise<SendOutcome>;
}

/** Counts a call; false when the caller exceeds the limit. */
export interface RateLimit {
  allows(caller: string): Promise<boolean>;
}

/** Encrypts secrets stored in Postgres (AES-GCM), and signs what Bursar writes elsewhere, both under rotated keys. */
export interface Cipher {
  encrypt(text: string): Promise<string>;
  decrypt(encrypted: string): Promise<string>;
  /** HMAC-SHA256 in base64url, by the current key. */
  sign(text: string): Promise<string>;
  /** True for a signature by any of the keys. */
  verify(text: string, signature: string): Promise<boolean>;
}

export interface Timers {
  after(ms: number): { readonly passed: Promise<"passed">; cancel(): void };
}

/** Continues work after the response. Logs a failure as `<what> failed`; never throws. */
export type Background = (what: string, work: Promise<unknown>) => void;

export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  /** `cause`: the caught error; null when nothing was thrown. */
  error(event: string, cause: unknown, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;
