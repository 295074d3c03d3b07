// The spend queue's consumer: parses, folds per tenant, acknowledges message by message.

import type { TenantId } from "../budget/tenant.ts";
import { applySpendMessages } from "../flows/apply-spend-messages.ts";
import { spendMessageSchema, type ValidSpendMessage } from "../messages.ts";
import type { Ports } from "../ports.ts";
import { backoffSeconds } from "./backoff.ts";
import { recordDeadLetter } from "./record-dead-letter.ts";

interface Parsed {
  readonly message: Message<unknown>;
  readonly body: ValidSpendMessage;
}

export async function consumeSpend(batch: MessageBatch<unknown>, ports: Ports): Promise<void> {
  const now = ports.clock();
  const byTenant = new Map<TenantId, Parsed[]>();
  for (const message of batch.messages) {
    const body = spendMessageSchema.safeParse(message.body);
    if (!body.success) {
      // No retry can mend it.
      await recordDeadLetter({ queue: batch.queue, message, why: "not a spend message" }, ports);
      continue;
    }
    if (!("tenant_id" in body.data)) continue;
    const parsed = byTenant.get(body.data.tenant_id) ?? [];
    byTenant.set(body.data.tenant_id, [...parsed, { message, body: body.data }]);
  }
  for (const [tenantId, parsed] of byTenant) await applyFor(tenantId, parsed, now, ports);
}

async function applyFor(tenantId: TenantId, parsed: readonly Parsed[], now: number, ports: Ports): Promise<void> {
  try {
    await applySpendMessages({ tenantId, messages: parsed.map(({ body }) => body), now }, ports);
    for (const { message } of parsed) message.ack();
  } catch (cause) {
    ports.log.error("spend messages failed", cause, { tenant_id: tenantId, messages: parsed.length });
    for (const { message } of parsed) message.retry({ delaySeconds: backoffSeconds(message.attempts) });
  }
}
