// Every external dependency as an interface. Flows take a `Pick` of Ports, so a flow's signature lists its I/O.
// Unless a method returns a Result, an outage throws.

import type { Instant } from "../budget/instant.ts";
import type { NanoUsd } from "../budget/money.ts";
import type { SpendRecord } from "../budget/spend.ts";
import type { KeyHash, Subject, TenantId } from "../budget/tenant.ts";
import type { EmailMessage, SlackMessage } from "../notices/notice.ts";
import type { DiscordMessage } from "../notices/providers/discord.ts";
import type { PagerDutyEvent } from "../notices/providers/pagerduty.ts";
import type { TeamsMessage } from "../notices/providers/teams.ts";
import type { ChannelId } from "../records/channel.ts";
import type { DeliveryKey, SendOutcome } from "../records/delivery.ts";
import type { IdempotencyClaim, IdempotencyKey, IdempotentAnswer } from "../records/idempotency.ts";
import type { LiteLlmFailure, LiteLlmFields, LiteLlmRow } from "../records/litellm-row.ts";
import type { Memory, Snapshots } from "./edge.ts";
import type { NoticeMessage, SpendMessage } from "./messages.ts";
import type { Alerts, Channels, DeadLetters, Deliveries, PlatformAlerts } from "./notice-stores.ts";
import type { Policy } from "./policy.ts";
import type { Result } from "./result.ts";
import type { Retention } from "./retention.ts";
import type {
  Audit,
  Ledgers,
  OutageNotes,
  Overrides,
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
  readonly outageNotes: OutageNotes;
  readonly deliveries: Deliveries;
  readonly channels: Channels;
  readonly audit: Audit;
  readonly retention: Retention;
  readonly deadLetters: DeadLetters;
  readonly litellm: LiteLlm;
  readonly modelCalls: ModelCalls;
  readonly claims: Claims;
  readonly spendQueue: SpendQueue;
  readonly noticeQueue: NoticeQueue;
  readonly replayQueues: ReplayQueues;
  readonly notifier: Notifier;
  readonly channelBreakers: ChannelBreakers;
  readonly cipher: Cipher;
  readonly timers: Timers;
  /** For entry points and measurements. Flows get `now` as input, and read the clock only after waiting on I/O. */
  readonly clock: () => Instant;
  readonly background: Background;
  readonly log: Log;
  readonly policy: Policy;
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
  | {
      readonly kind: "unreachable";
      readonly why: string;
      /** False when the call certainly did not reach LiteLLM, so it is not charged. */
      readonly mayHaveArrived: boolean;
    };

/** At most one read of a tenant per colo and `seconds`. */
export interface ReadClaim {
  readonly tenantId: TenantId;
  readonly colo: string;
  readonly seconds: number;
}

/** What a read has shown, merged with what Postgres has counted, for the other isolates of the colo. */
export interface SharedRead {
  readonly subjectId: string;
  readonly spend: SpendRecord;
}

/** Upstash Redis. A slow answer counts as an outage, and callers continue without Redis. */
export interface Claims {
  /**
   * Claims the read of a tenant for a colo. If it is claimed already, returns what that read has shown, in the same
   * round trip; `pending` until then.
   */
  claimRead(claim: ReadClaim): Promise<"claimed" | "pending" | SharedRead>;
  /** Leaves what a read has shown beside its claim until the claim ends, `leftMs` from now. */
  shareRead(claim: ReadClaim, read: SharedRead, leftMs: number): Promise<void>;
  /** Claims an idempotency key, or returns the state of the request that holds it. */
  claimIdempotency(key: IdempotencyKey, bodyHash: string): Promise<IdempotencyClaim>;
  finishIdempotency(key: IdempotencyKey, bodyHash: string, answer: IdempotentAnswer | null): Promise<void>;
  /** When the last noted read of this name is due; null without a note, which expires after its `seconds`. */
  scheduledReadAt(tenantId: TenantId, name: string): Promise<Instant | null>;
  noteScheduledRead(tenantId: TenantId, name: string, dueAt: Instant, seconds: number): Promise<void>;
  /** `claimed` also for the message that already holds the claim. */
  claimNotice(key: DeliveryKey, messageId: string): Promise<"claimed" | "sending" | "sent">;
  noteNoticeSent(key: DeliveryKey): Promise<void>;
  releaseNotice(key: DeliveryKey): Promise<void>;
  /**
   * The next free turn of a channel, `intervalMs` after the one before and not before `notBefore`. The others give way
   * to critical notices: a turn that one of them has `held` is kept only if no critical one has come since.
   */
  reserveTurn(request: TurnRequest): Promise<Instant>;
  ping(): Promise<void>;
}

export interface TurnRequest {
  readonly channelId: ChannelId;
  readonly priority: "critical" | "others";
  readonly held: Instant | null;
  readonly notBefore: Instant;
  readonly intervalMs: number;
}

export interface SpendQueue {
  send(message: SpendMessage, delaySeconds?: number): Promise<void>;
  /** `delaySecondsOf`: the delivery delay of each message, by index; without it there is none. */
  sendAll(messages: readonly SpendMessage[], delaySecondsOf?: (index: number) => number): Promise<void>;
}

export interface NoticeQueue {
  sendAll(messages: readonly NoticeMessage[], delaySeconds?: number): Promise<void>;
}

/** Remembers, in an isolate, which channels do not answer. */
export interface ChannelBreakers {
  /** False for a channel that did not answer three times in a row, except for one probe each half a minute. */
  admits(channelId: ChannelId, now: Instant): boolean;
  /** Notes whether an attempt was answered, by whatever answer. */
  note(channelId: ChannelId, isAnswered: boolean, now: Instant): void;
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
  /** PagerDuty dedupes by the event's `dedup_key`. */
  pagerduty(routingKey: string, event: PagerDutyEvent): Promise<SendOutcome>;
  teams(url: string, message: TeamsMessage): Promise<SendOutcome>;
  discord(url: string, message: DiscordMessage): Promise<SendOutcome>;
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
