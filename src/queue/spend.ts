// The spend queue's consumer: parses, folds per tenant, acknowledges message by message.

import type { TenantId } from "../budget/tenant.ts";
import { applySpendMessages } from "../flows/apply-spend-messages.ts";
import { spendMessageSchema, type ValidSpendMessage } from "../messages.ts";
import type { Ports } from "../ports.ts";
import { backoffSeconds } from "./backoff.ts";

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
      await bury(batch.queue, message, ports);
      continue;
    }
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

/** Poison: no retry can mend it, so it goes where people look. */
async function bury(queue: string, message: Message<unknown>, { deadLetters, log }: Ports): Promise<void> {
  try {
    const { id, body, attempts, timestamp } = message;
    await deadLetters.record({
      queue,
      messageId: id,
      body,
      attempts,
      error: "not a spend message",
      recordedAt: timestamp.getTime(),
    });
    log.error("poison message recorded", null, { queue, message_id: id });
    message.ack();
  } catch (cause) {
    log.error("poison message could not be recorded", cause, { queue, message_id: message.id });
    message.retry({ delaySeconds: backoffSeconds(message.attempts) });
  }
}
