// Puts LiteLLM's webhook on the spend queue; its sender waits for nothing else. A webhook that arrives twice is queued
// twice, and the consumer skips the duplicate by its id.

import type { Instant } from "../../budget/instant.ts";
import { decimalFromNanoUsd, type NanoUsd } from "../../budget/money.ts";
import type { SpendMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";

/** How the sender authenticated, and its id and time of sending. */
export interface WebhookOrigin {
  readonly auth: "signature" | "url_token";
  /** Null without a signature: an unsigned id could suppress a webhook of another sender. */
  readonly webhookId: string | null;
  readonly sentAt: Instant;
}

export interface WebhookReport {
  readonly event: string;
  readonly eventGroup: string;
  readonly keyHash: string | null;
  readonly teamId: string | null;
  readonly userId: string | null;
  /** As LiteLLM sends it: may be negative. */
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

type Deps = Pick<Ports, "spendQueue" | "log">;

/** @throws when the queue refuses. */
export async function acceptWebhook(input: Input, { spendQueue, log }: Deps): Promise<void> {
  const { report, requestId } = input;
  if (report.spendNanoUsd < 0n) {
    log.warn("negative spend counted as zero", { source: "webhook", event: report.event, request_id: requestId });
  }
  await spendQueue.send(messageOf(input));
}

function messageOf({ report, origin, now }: Input): SpendMessage {
  return {
    kind: "webhook",
    auth: origin.auth,
    door: origin.auth === "signature" ? "signed" : origin.auth,
    event: report.event,
    event_group: report.eventGroup,
    key_hash: report.keyHash,
    team_id: report.teamId,
    user_id: report.userId,
    spend: decimalFromNanoUsd(report.spendNanoUsd < 0n ? 0n : report.spendNanoUsd),
    projected_spend: report.projectedSpendNanoUsd === null ? null : decimalFromNanoUsd(report.projectedSpendNanoUsd),
    projected_exceeded_date: report.projectedExceededDate,
    webhook_id: origin.webhookId,
    sent_at: origin.sentAt,
    received_at: now,
  };
}
