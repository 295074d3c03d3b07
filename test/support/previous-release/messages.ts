// The queue messages of the release before messages had versions. Frozen, to test that old and new Workers read each
// other.

import * as z from "zod/mini";
import { decimalFromNanoUsd, nanoUsdFromDecimal } from "../../../src/budget/money.ts";
import type { SpendRecord } from "../../../src/budget/spend.ts";
import type { TenantConfig, TenantId } from "../../../src/budget/tenant.ts";

type ReadLane = "hint-1" | "hint-2" | "confirmation" | "period-end";

import type { AlertId } from "../../../src/records/alert.ts";
import type { ChannelId } from "../../../src/records/channel.ts";
import type { DeliveryKey } from "../../../src/records/delivery.ts";

const tenantId = z.pipe(
  z.string().check(z.minLength(1)),
  z.transform((id: string) => id as TenantId),
);
const instant = z.number().check(z.int(), z.gte(0));

/** An amount of US dollars as a decimal string. */
export const decimalMoney = z.pipe(
  z.string(),
  z.transform((text: string, context): bigint => {
    const amount = nanoUsdFromDecimal(text);
    if (amount !== null && amount >= 0n) return amount;
    context.issues.push({ code: "custom", input: text, message: "not an amount of money" });
    return z.NEVER;
  }),
);

/** A spend record as queues and KV carry it. */
const rawSpendRecord = z.object({
  spend: decimalMoney,
  observed_at: instant,
  read_at: z.nullable(instant),
  source: z.enum(["litellm", "webhook", "events", "gate"]),
  period_started_at: instant,
  resets_at: z.nullable(instant),
  burn_per_second: decimalMoney,
});

export const spendRecordSchema = z.pipe(
  rawSpendRecord,
  z.transform(
    (raw: z.output<typeof rawSpendRecord>): SpendRecord => ({
      spendNanoUsd: raw.spend,
      observedAt: raw.observed_at,
      readAt: raw.read_at,
      source: raw.source,
      periodStartedAt: raw.period_started_at,
      resetsAt: raw.resets_at,
      spendRateNanoUsdPerSecond: raw.burn_per_second,
    }),
  ),
);

/** The record as JSON. */
export function spendRecordJson(record: SpendRecord): z.input<typeof spendRecordSchema> {
  return {
    spend: decimalFromNanoUsd(record.spendNanoUsd),
    observed_at: record.observedAt,
    read_at: record.readAt,
    source: record.source,
    period_started_at: record.periodStartedAt,
    resets_at: record.resetsAt,
    burn_per_second: decimalFromNanoUsd(record.spendRateNanoUsdPerSecond),
  };
}

export const spendMessageSchema = z.discriminatedUnion("kind", [
  /** A refresh read spend that Postgres should record. */
  z.object({ kind: z.literal("observed"), tenant_id: tenantId, subject_id: z.string(), record: spendRecordSchema }),
  /** The config changed a while ago: write its snapshot again, in case a slower writer overwrote it in KV. */
  z.object({ kind: z.literal("rewrite_config"), tenant_id: tenantId }),
  /** A read showed that LiteLLM differs from the desired state. */
  z.object({ kind: z.literal("sync_litellm"), tenant_id: tenantId }),
  /** LiteLLM's alert webhook arrived. */
  z.object({
    kind: z.literal("webhook"),
    /** How its sender authenticated: only a signed webhook's spend counts. */
    door: z.enum(["signed", "url_token"]),
    event: z.string(),
    event_group: z.string(),
    key_hash: z.nullable(z.string()),
    team_id: z.nullable(z.string()),
    user_id: z.nullable(z.string()),
    /** The reported spend; null when it is not a valid amount. */
    spend: z.nullable(decimalMoney),
    projected_spend: z.nullable(decimalMoney),
    projected_exceeded_date: z.nullable(z.string()),
    /** The sender's id, the same for each copy. Null unless a signature covers it. */
    webhook_id: z.optional(z.nullable(z.string())),
    /** When its sender signed it, else when it arrived. */
    sent_at: instant,
    received_at: instant,
  }),
  /** Calls of one key with the highest spend among them, from LiteLLM's generic_api callback or from Gate. */
  z.object({
    kind: z.literal("calls"),
    key_hash: z.string(),
    team_id: z.nullable(z.string()),
    /** The key's spend after a call; null when no call reported it. */
    spend: z.nullable(decimalMoney),
    /** When the call with that spend began. */
    begun_at: instant,
    /** The end of the period that the spend belongs to; absent where LiteLLM does not report it. */
    resets_at: z.optional(instant),
    /** The source of the spend: an answer that passed through Gate, or LiteLLM's events. */
    source: z._default(z.enum(["events", "gate"]), "events"),
    received_at: instant,
    count: z.int().check(z.gte(1)),
  }),
  /** Read the tenant's subject now: to confirm a hint or a lower bound, or because a period should be over. */
  z.object({
    kind: z.literal("read_due"),
    tenant_id: tenantId,
    subject_id: z.string(),
    lane: z.enum(["hint-1", "hint-2", "confirmation", "period-end"]),
  }),
]);

/** Tenants that the sweep leased for a read, until the instant `lease`. */
export const reconcileMessageSchema = z.object({
  kind: z.literal("reconcile"),
  tenant_ids: z.array(tenantId).check(z.minLength(1)),
  lease: instant,
});

/** The role of a queue. A deployment may add a prefix: `staging-spend`, with dead letters in `staging-spend-dead`. */
export type QueueRole = "spend" | "notices";

const QUEUE_NAME = /(?:^|-)(spend|notices)(?:-dead)?$/;

/** Null when the queue is not Bursar's. A dead-letter queue has the role of the queue that it belongs to. */
export function queueRoleOf(name: string): QueueRole | null {
  return (QUEUE_NAME.exec(name)?.[1] as QueueRole | undefined) ?? null;
}

export function isDeadLetterQueue(name: string): boolean {
  return name.endsWith("-dead");
}

/** One alert on its way to one channel. */
export const noticeMessageSchema = z.object({
  kind: z.literal("notice"),
  alert_id: z.pipe(
    z.string().check(z.minLength(1)),
    z.transform((id: string) => id as AlertId),
  ),
  channel_id: z.pipe(
    z.string().check(z.minLength(1)),
    z.transform((id: string) => id as ChannelId),
  ),
});

/** The message as it is on the queue. */
export type NoticeMessage = z.input<typeof noticeMessageSchema>;

export function noticeMessage({ alertId, channelId }: DeliveryKey): NoticeMessage {
  return { kind: "notice", alert_id: alertId, channel_id: channelId };
}

/** The message as it is on the queue. */
export type SpendMessage = z.input<typeof spendMessageSchema> | z.input<typeof reconcileMessageSchema>;

/** The message as a consumer uses it. */
export type ValidSpendMessage = z.output<typeof spendMessageSchema>;

/** Makes the consumer read the subject, unless the tenant has another subject by then. */
export function readDueMessage(
  { tenantId, subject }: Pick<TenantConfig, "tenantId"> & { readonly subject: { readonly id: string } },
  lane: ReadLane,
): SpendMessage {
  return { kind: "read_due", tenant_id: tenantId, subject_id: subject.id, lane };
}

/** Makes the consumer sync LiteLLM to the desired state. */
export function syncMessage(tenantId: TenantId): SpendMessage {
  return { kind: "sync_litellm", tenant_id: tenantId };
}

/** Sends the consumer the spend from a read of the tenant's subject. */
export function observedMessage({ tenantId, subject }: TenantConfig, record: SpendRecord): SpendMessage {
  return { kind: "observed", tenant_id: tenantId, subject_id: subject.id, record: spendRecordJson(record) };
}
