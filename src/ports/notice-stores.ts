// Postgres as interfaces, continued from stores.ts: alerts, and their way to people.

import type { AlertEventType } from "../budget/alert.ts";
import type { Instant } from "../budget/instant.ts";
import type { TenantId } from "../budget/tenant.ts";
import type { AlertEntry } from "../records/alert.ts";
import type { LateChange } from "../records/audit.ts";
import type { ChannelChange, ChannelId, ChannelRecord, NewChannel } from "../records/channel.ts";
import type { DeadLetter, DeadLetterRecord } from "../records/dead-letter.ts";
import type { AlertListRow, DeliveryKey, RecordedAlerts } from "../records/delivery.ts";
import type {
  NoticeDispatch,
  PlatformAlertRecord,
  PlatformBounds,
  PlatformCondition,
  PlatformSigns,
} from "../records/platform-alert.ts";
import type { Actor, OnTenantFault } from "../records/tenant.ts";
import type { Page, PageQuery, TimeRange } from "./page.ts";
import type { Result } from "./result.ts";

/** `tenantId` null: every tenant. */
export interface AlertListQuery extends PageQuery, TimeRange {
  readonly tenantId: TenantId | null;
  readonly eventType?: AlertEventType | null;
}

export interface Alerts {
  /**
   * In one step: records alerts, their audit lines and, for each announced alert, a delivery per enabled channel of the
   * tenant or the platform. Skips an alert whose identity exists. Returns the new ones; null when another consumer has
   * evaluated this tenant since `lastEvaluation`.
   */
  record(entry: AlertEntry): Promise<RecordedAlerts | null>;
  /** Also the alerts of deleted tenants. */
  list(query: AlertListQuery): Promise<Page<AlertListRow>>;
  /**
   * The changes from `since` up to `until` without an alert, at most `limit` from each source: first what the audit log
   * has of overrides and suspensions, then the resets that began a running period, other than the first; each oldest
   * first. A reset dates from the read that showed it.
   */
  listUnannounced(
    within: { readonly since: Instant; readonly until: Instant },
    limit: number,
    onFault?: OnTenantFault,
  ): Promise<LateChange[]>;
}

export interface PlatformAlerts {
  evaluate(bounds: PlatformBounds): Promise<PlatformSigns>;
  /**
   * For each condition that is new, or was last announced before `remindBefore`: records an alert, its audit line and
   * its deliveries to the platform's channels. Ends conditions that no longer hold. Leaves conditions that are not
   * given alone.
   */
  record(
    conditions: readonly PlatformCondition[],
    times: { remindBefore: Instant; now: Instant },
  ): Promise<{ readonly alerts: readonly PlatformAlertRecord[]; readonly deliveries: readonly DeliveryKey[] }>;
}

/** The state of each delivery. `sent`, `skipped`, `superseded` and `failed` are final. */
export interface Deliveries {
  /**
   * Leaves out deliveries whose alert or channel no longer exists, and those that a digest stands for. With
   * `onUnreadable` also those that cannot be read; without it they throw.
   */
  load(
    keys: readonly DeliveryKey[],
    onUnreadable?: (key: DeliveryKey, cause: unknown) => void,
  ): Promise<NoticeDispatch[]>;
  /**
   * Notes that an attempt begins, unless a newer alert to the same channel has made the notice untrue: it is then
   * `superseded`. `changed`: it has ended, or its next attempt is not at `nextAttemptAt` any more.
   */
  begin(key: DeliveryKey, due: DueAttempt): Promise<"begun" | "superseded" | "changed">;
  /** Ends a pending delivery, and those that a digest stands for; an ended one stays unchanged. */
  end(
    key: DeliveryKey,
    end: {
      status: "sent" | "skipped" | "failed";
      error: string | null;
      /** True: the attempt that has begun certainly did not arrive. */
      hasNotArrived: boolean;
      at: Instant;
    },
  ): Promise<void>;
  /**
   * The provider refuses the channel for good: fails the delivery and marks the channel as broken. When it was not, an
   * audit line and an alert to the other channels of the platform; returns its deliveries.
   */
  recordRejection(key: DeliveryKey, rejection: { error: string; at: Instant }): Promise<DeliveryKey[]>;
  postpone(key: DeliveryKey, next: Postponement): Promise<void>;
  /** Those whose attempt was due before `before`, each for one caller only. */
  claimOverdue(before: Instant, limit: number, now: Instant): Promise<DeliveryKey[]>;
  /** Makes a digest of the deliveries that wait for one: one for each channel and hour. Returns their deliveries. */
  gatherDigests(now: Instant): Promise<DeliveryKey[]>;
  /** Makes a failed delivery pending again with no attempts. */
  revive(key: DeliveryKey, now: Instant): Promise<void>;
}

/** The next attempt of a pending delivery. */
export interface Postponement {
  /** Null keeps the last one. */
  readonly error: string | null;
  readonly nextAttemptAt: Instant;
  /** The turn that the channel's pace gave to the attempt; null: it has none yet. */
  readonly turnAt: Instant | null;
  /** False: the delivery waited, which is no attempt. */
  readonly isAttempt: boolean;
  readonly hasNotArrived: boolean;
  readonly at: Instant;
}

export interface Channels {
  load(channelId: ChannelId): Promise<ChannelRecord | null>;
  /** `tenantId` null: every channel. */
  list(query: PageQuery & { readonly tenantId: TenantId | null }): Promise<Page<ChannelRecord>>;
  /** As `Tenants.create`: the channel of an earlier request has another target. */
  create(channel: NewChannel, actor: Actor): Promise<Result<ChannelRecord, "tenant_not_found" | "other_body">>;
  change(channelId: ChannelId, change: ChannelChange, actor: Actor): Promise<ChannelRecord | null>;
  /** A notice was sent to the target of `channel`: it is not broken any more. */
  noteSent(channel: Pick<ChannelRecord, "id" | "encryptedTarget">): Promise<void>;
  /** False when there is no such channel. */
  remove(channelId: ChannelId, actor: Actor): Promise<boolean>;
}

/** Queue messages that no consumer could handle, kept for an operator to replay. */
export interface DeadLetters {
  record(letter: DeadLetter): Promise<void>;
  list(query: PageQuery & TimeRange): Promise<Page<DeadLetterRecord>>;
  load(id: string): Promise<DeadLetterRecord | null>;
  markReplayed(id: string, actor: Actor): Promise<void>;
}

export type DueAttempt = { readonly nextAttemptAt: Instant | null; readonly now: Instant };
