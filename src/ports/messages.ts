// What travels on the queues. A message that does not fit its schema is poison and ends as a dead letter.

import * as z from "zod";
import type { Instant } from "../budget/instant.ts";
import { decimalFromNanoUsd, nanoUsdFromDecimal } from "../budget/money.ts";
import type { SpendRead, SpendRecord } from "../budget/spend.ts";
import type { TenantConfig, TenantId } from "../budget/tenant.ts";
import type { AlertId } from "../records/alert.ts";
import type { ChannelId } from "../records/channel.ts";
import type { DeliveryKey } from "../records/delivery.ts";

const tenantId = z
  .string()
  .min(1)
  .transform((id) => id as TenantId);

/**
 * Why a read waits on the queue: to see what a hint announced (`recheck-60s` only from the release before), to
 * confirm or correct counted spend, to see a reset.
 */
export type ReadReason = "recheck-20s" | "recheck-60s" | "confirm" | "period-end";

const instant = z.number().int().min(0);

/** An amount of US dollars as a decimal string. */
export const decimalMoney = z.string().transform((text, context): bigint => {
  const amount = nanoUsdFromDecimal(text);
  if (amount !== null && amount >= 0n) return amount;
  context.addIssue("must be a decimal number of US dollars");
  return z.NEVER;
});

/** A spend record as queues and KV carry it. */
const rawSpendRecord = z.object({
  spend: decimalMoney,
  observed_at: instant,
  read_at: instant.nullable(),
  source: z.enum(["litellm", "webhook", "events", "gate"]),
  period_started_at: instant,
  resets_at: instant.nullable(),
  burn_per_second: decimalMoney,
  /** Absent in values of the release before. */
  epoch: z.int().min(0).default(0),
});

export const spendRecordSchema = rawSpendRecord.transform(
  (raw): SpendRecord => ({
    spendNanoUsd: raw.spend,
    observedAt: raw.observed_at,
    readAt: raw.read_at,
    source: raw.source,
    periodStartedAt: raw.period_started_at,
    resetsAt: raw.resets_at,
    spendRateNanoUsdPerSecond: raw.burn_per_second,
    epoch: raw.epoch,
  }),
);

/** The same record on its way out. */
export function spendRecordJson(record: SpendRecord): z.input<typeof spendRecordSchema> {
  return {
    spend: decimalFromNanoUsd(record.spendNanoUsd),
    observed_at: record.observedAt,
    read_at: record.readAt,
    source: record.source,
    period_started_at: record.periodStartedAt,
    resets_at: record.resetsAt,
    burn_per_second: decimalFromNanoUsd(record.spendRateNanoUsdPerSecond),
    epoch: record.epoch,
  };
}

/** How the release before spelled the reasons of a scheduled read. Written beside the new spelling for one release. */
const LANES = {
  "recheck-20s": "hint-1",
  "recheck-60s": "hint-2",
  confirm: "confirmation",
  "period-end": "period-end",
} as const satisfies Record<ReadReason, string>;

const REASONS = Object.keys(LANES) as [ReadReason, ...ReadReason[]];

/** A scheduled read of the tenant's subject. */
const rawScheduledRead = z.object({
  kind: z.literal("read_due"),
  tenant_id: tenantId,
  subject_id: z.string(),
  reason: z.enum(REASONS).optional(),
  lane: z.enum(Object.values(LANES)).optional(),
  /** The hint: its instant, the spend that it announced, and its verified time. Absent beside any other reason. */
  hinted_at: instant.optional(),
  announced: decimalMoney.optional(),
  signed_at: instant.optional(),
});

const scheduledRead = rawScheduledRead.transform(({ reason, lane, ...message }, context) => {
  const known = reason ?? REASONS.find((each) => LANES[each] === lane);
  if (known !== undefined) return { ...message, reason: known };
  context.addIssue("a scheduled read without a reason");
  return z.NEVER;
});

/** LiteLLM sent an alert webhook. */
const rawWebhook = z.object({
  kind: z.literal("webhook"),
  /** How its sender was authenticated: only the amount of a signed one may count. */
  auth: z.enum(["signature", "url_token"]).optional(),
  /** The same as the release before spelled it. Written beside `auth` for one release. */
  door: z.enum(["signed", "url_token"]).optional(),
  event: z.string(),
  event_group: z.string(),
  key_hash: z.string().nullable(),
  team_id: z.string().nullable(),
  user_id: z.string().nullable(),
  /** The spend that LiteLLM reports; null when it is not a number. */
  spend: decimalMoney.nullable(),
  /** The sender's id, the same for each copy. Null when no signature covers it: then none covers `sent_at` either. */
  webhook_id: z.string().nullable().optional(),
  /** When the sender signed it, else when it arrived. */
  sent_at: instant,
  received_at: instant,
});

const webhook = rawWebhook.transform(({ auth, door, ...message }, context) => {
  const known = auth ?? (door === "signed" ? "signature" : door);
  if (known !== undefined) return { ...message, auth: known };
  context.addIssue("a webhook without its authentication");
  return z.NEVER;
});

/** Whose spend a call adds to. */
const caller = z.object({ key_hash: z.string(), team_id: z.string().nullable() });

/** Finished calls, from LiteLLM's generic_api callback. At most 50, so that a message stays under 100 KB. */
const calls = z.object({
  v: z.literal(2),
  kind: z.literal("calls"),
  calls: z.array(
    caller.extend({
      /** 128 bits in hex, the same whenever LiteLLM reports the call. */
      id: z.string().regex(/^[0-9a-f]{32}$/),
      started_at: instant.nullable(),
      ended_at: instant,
      cost: decimalMoney,
    }),
  ),
  /** Callers whose spend is worth a read: LiteLLM refused a call of theirs, or does not say what it cost. */
  hints: z.array(caller),
  received_at: instant,
});

/** A read of LiteLLM by a check. Postgres does not have it yet. */
const read = z.object({
  v: z.literal(2),
  kind: z.literal("read"),
  tenant_id: tenantId,
  subject_id: z.string(),
  spend: decimalMoney,
  asked_at: instant,
  answered_at: instant,
  resets_at: instant.nullable(),
});

/** Calls as the release before sent them, with amounts that later versions of LiteLLM send late: only worth a read. */
const previousCalls = z
  .object({ kind: z.literal("calls"), ...caller.shape, received_at: instant })
  .transform(({ key_hash, team_id, received_at }) => ({
    v: 2 as const,
    kind: "calls" as const,
    calls: [],
    hints: [{ key_hash, team_id }],
    received_at,
  }));

/** A read as the release before sent it, merged into its own record: only worth another read. */
const previousRead = z.object({ kind: z.literal("observed"), tenant_id: tenantId, subject_id: z.string() }).transform(
  ({ tenant_id, subject_id }): z.output<typeof scheduledRead> => ({
    kind: "read_due",
    tenant_id,
    subject_id,
    reason: "confirm",
  }),
);

export const spendMessageSchema = z.union([
  z.discriminatedUnion("kind", [
    calls,
    read,
    webhook,
    scheduledRead,
    /** The config changed a while ago: write its snapshot again, in case a slower writer overtook it in KV. */
    z.object({ kind: z.literal("rewrite_config"), tenant_id: tenantId }),
    /** A read found drift: LiteLLM does not have the desired state. */
    z.object({ kind: z.literal("sync_litellm"), tenant_id: tenantId }),
  ]),
  previousCalls,
  previousRead,
]);

/** Tenants that the sweep has leased to a consumer, to be read. `lease` is the end of the lease. */
export const reconcileMessageSchema = z.object({
  kind: z.literal("reconcile"),
  tenant_ids: z.array(tenantId).min(1),
  lease: instant,
});

/** One alert on its way to one channel. */
export const noticeMessageSchema = z.object({
  kind: z.literal("notice"),
  alert_id: z
    .string()
    .min(1)
    .transform((id) => id as AlertId),
  channel_id: z
    .string()
    .min(1)
    .transform((id) => id as ChannelId),
});

/** The message as the queue holds it. */
export type NoticeMessage = z.input<typeof noticeMessageSchema>;

export function noticeMessage({ alertId, channelId }: DeliveryKey): NoticeMessage {
  return { kind: "notice", alert_id: alertId, channel_id: channelId };
}

/** The message as the queue holds it. */
export type SpendMessage = z.input<typeof spendMessageSchema> | z.input<typeof reconcileMessageSchema>;

/** The message as a consumer uses it. */
export type ValidSpendMessage = z.output<typeof spendMessageSchema>;

/** Makes the consumer read the subject, unless the tenant has another subject by then. */
export function scheduledReadMessage(
  { tenantId, subject }: Pick<TenantConfig, "tenantId"> & { readonly subject: { readonly id: string } },
  reason: ReadReason,
): z.input<typeof rawScheduledRead> {
  return { kind: "read_due", tenant_id: tenantId, subject_id: subject.id, reason, lane: LANES[reason] };
}

/** Makes the consumer reconcile tenants that are leased until `lease`. */
export function reconcileMessage(tenantIds: readonly TenantId[], lease: Instant): SpendMessage {
  return { kind: "reconcile", tenant_ids: [...tenantIds], lease };
}

/** Makes the consumer sync LiteLLM with the desired state. */
export function syncMessage(tenantId: TenantId): SpendMessage {
  return { kind: "sync_litellm", tenant_id: tenantId };
}

/** A finished call as the queue holds it. */
export type QueuedCall = z.input<typeof calls>["calls"][number];

/** Whose spend a call adds to, as the queue holds it. */
export type QueuedCaller = z.input<typeof caller>;

/** Counts calls, and makes the consumer read the tenants of the callers in `hints`. */
export function callsMessage(
  reported: { readonly calls: readonly QueuedCall[]; readonly hints: readonly QueuedCaller[] },
  receivedAt: Instant,
): SpendMessage {
  return { v: 2, kind: "calls", calls: [...reported.calls], hints: [...reported.hints], received_at: receivedAt };
}

/** A webhook as its endpoint reads it. */
export type QueuedWebhook = Omit<z.input<typeof rawWebhook>, "kind" | "auth" | "door" | "received_at"> & {
  readonly auth: "signature" | "url_token";
};

/** LiteLLM's forecast, which the release before requires in a webhook. Written for one release. */
const NO_FORECAST = { projected_spend: null, projected_exceeded_date: null } as const;

export function webhookMessage(reported: QueuedWebhook, receivedAt: Instant): SpendMessage {
  const door = reported.auth === "signature" ? "signed" : reported.auth;
  return { kind: "webhook", door, ...reported, ...NO_FORECAST, received_at: receivedAt };
}

/** Sends the consumer a read of the tenant's subject. */
export function readMessage(
  { tenantId, subject }: TenantConfig,
  { begunAt, answeredAt, ...read }: SpendRead,
): SpendMessage {
  return {
    v: 2,
    kind: "read",
    tenant_id: tenantId,
    subject_id: subject.id,
    spend: decimalFromNanoUsd(read.spendNanoUsd),
    asked_at: begunAt,
    answered_at: answeredAt,
    resets_at: read.resetsAt,
  };
}
