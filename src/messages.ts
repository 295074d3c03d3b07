// What travels on the queues. A message that does not fit its schema is poison and ends as a dead letter.

import * as z from "zod";
import { decimalFromNanoUsd, nanoUsdFromDecimal } from "./budget/money.ts";
import type { SpendRecord } from "./budget/spend.ts";
import type { TenantConfig, TenantId } from "./budget/tenant.ts";

const tenantId = z
  .string()
  .min(1)
  .transform((id) => id as TenantId);
const instant = z.number().int().nonnegative();

/** An amount of US dollars as a decimal string. */
export const decimalMoney = z.string().transform((text, context) => {
  const amount = nanoUsdFromDecimal(text);
  if (amount !== null && amount >= 0n) return amount;
  context.addIssue({ code: "custom", message: "not an amount of money" });
  return z.NEVER;
});

/** A spend record as queues and KV carry it. */
export const spendRecordSchema = z
  .object({
    spend: decimalMoney,
    observed_at: instant,
    read_at: instant.nullable(),
    source: z.enum(["litellm", "webhook", "events", "gate"]),
    period_started_at: instant,
    resets_at: instant.nullable(),
    burn_per_second: decimalMoney,
  })
  .transform(
    (raw): SpendRecord => ({
      spendNanoUsd: raw.spend,
      observedAt: raw.observed_at,
      readAt: raw.read_at,
      source: raw.source,
      periodStartedAt: raw.period_started_at,
      resetsAt: raw.resets_at,
      burnNanoUsdPerSecond: raw.burn_per_second,
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
    burn_per_second: decimalFromNanoUsd(record.burnNanoUsdPerSecond),
  };
}

export const spendMessageSchema = z.discriminatedUnion("kind", [
  /** A refresh learned a figure that Postgres should have. */
  z.object({ kind: z.literal("observed"), tenant_id: tenantId, subject_id: z.string(), record: spendRecordSchema }),
  /** The config changed a while ago: write its snapshot again, in case a slower writer overtook it in KV. */
  z.object({ kind: z.literal("rewrite_config"), tenant_id: tenantId }),
  /** A read showed that LiteLLM does not have the wish. */
  z.object({ kind: z.literal("sync_litellm"), tenant_id: tenantId }),
]);

/** As it lies on the queue. */
export type SpendMessage = z.input<typeof spendMessageSchema>;

/** As a consumer uses it. */
export type ValidSpendMessage = z.output<typeof spendMessageSchema>;

/** Tells the consumer of a figure that a read of the tenant's subject has shown. */
export function observedMessage({ tenantId, subject }: TenantConfig, record: SpendRecord): SpendMessage {
  return { kind: "observed", tenant_id: tenantId, subject_id: subject.id, record: spendRecordJson(record) };
}
