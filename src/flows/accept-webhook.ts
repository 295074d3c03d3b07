// Puts LiteLLM's alert on the spend queue, and the id of a signed one aside once the queue has it: what crashes in
// between comes twice, which harms nothing, and is never lost. Asks neither Postgres nor LiteLLM.

import { decimalFromNanoUsd, type NanoUsd } from "../budget/money.ts";
import type { Instant } from "../budget/tenant.ts";
import type { SpendMessage } from "../messages.ts";
import type { Ports } from "../ports.ts";

/** How its sender was known, and what the sender says of the sending. */
export interface WebhookOrigin {
  readonly door: "signed" | "url_token";
  /** Null when there is none that a signature vouches for: an id from just anybody could hold up another's webhook. */
  readonly webhookId: string | null;
  readonly sentAt: Instant;
}

export interface WebhookReport {
  readonly event: string;
  readonly eventGroup: string;
  readonly keyHash: string | null;
  readonly teamId: string | null;
  readonly userId: string | null;
  /** As LiteLLM says it. */
  readonly spendNanoUsd: NanoUsd;
  readonly projectedSpendNanoUsd: NanoUsd | null;
  readonly projectedExceededDate: string | null;
}

interface Input {
  readonly report: WebhookReport;
  readonly origin: WebhookOrigin;
  readonly requestId: string;
  readonly now: Instant;
}

type Deps = Pick<Ports, "claims" | "spendQueue" | "background" | "log">;

/** @throws when the queue refuses. */
export async function acceptWebhook(input: Input, deps: Deps): Promise<void> {
  const { claims, spendQueue, background, log } = deps;
  const { report, origin, requestId } = input;
  const { webhookId } = origin;
  if (report.spendNanoUsd < 0n) {
    log.warn("negative spend counts as zero", { source: "webhook", event: report.event, request_id: requestId });
  }
  if (webhookId !== null && (await wasTaken(webhookId, requestId, deps))) return;
  await spendQueue.send(messageOf(input));
  if (webhookId !== null) background("remember a webhook", claims.rememberWebhook(webhookId));
}

/** Without Redis it counts as new: a duplicate is harmless. */
async function wasTaken(webhookId: string, requestId: string, { claims, log }: Deps): Promise<boolean> {
  try {
    return await claims.hasTakenWebhook(webhookId);
  } catch (error) {
    log.error("webhook id not checked", error, { request_id: requestId });
    return false;
  }
}

function messageOf({ report, origin, now }: Input): SpendMessage {
  return {
    kind: "webhook",
    door: origin.door,
    event: report.event,
    event_group: report.eventGroup,
    key_hash: report.keyHash,
    team_id: report.teamId,
    user_id: report.userId,
    spend: decimalFromNanoUsd(report.spendNanoUsd < 0n ? 0n : report.spendNanoUsd),
    projected_spend: report.projectedSpendNanoUsd === null ? null : decimalFromNanoUsd(report.projectedSpendNanoUsd),
    projected_exceeded_date: report.projectedExceededDate,
    sent_at: origin.sentAt,
    received_at: now,
  };
}
