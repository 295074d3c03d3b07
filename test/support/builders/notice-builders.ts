// Builders of alerts, channels and deliveries as Postgres keeps them. A test names only what it is about.

import type { AlertId, AlertRecord } from "../../../src/records/alert.ts";
import type { ChannelId, ChannelRecord, ChannelTarget } from "../../../src/records/channel.ts";
import type { DeliveryRecord, Dispatch } from "../../../src/records/delivery.ts";
import { NOW, PERIOD_START, RESET, usd } from "../../budget/builders.ts";
import { idOf } from "./builders.ts";

/** An id that is told by its number. */
export const uuidOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
export const alertIdOf = (number: number) => uuidOf(number) as AlertId;
export const channelIdOf = (number: number) => uuidOf(number) as ChannelId;

/** Each with a part that must never be read anywhere else. */
export const TARGETS = {
  slack: { kind: "slack", url: "https://hooks.slack.com/services/T0/SECRET-PATH" },
  email: { kind: "email", to: ["SECRET-PERSON@example.com"] },
  webhook: { kind: "webhook", url: "https://example.com/hook?token=SECRET-TOKEN", secret: "whsec_SECRET" },
} as const satisfies Record<string, ChannelTarget>;

/** $400 of $500: the 80 % of `acme`. */
export function anAlert(differences: Partial<AlertRecord> = {}): AlertRecord {
  return {
    id: alertIdOf(1),
    tenantId: idOf("acme"),
    identity: "threshold_crossed/acme",
    eventType: "threshold_crossed",
    threshold: 8_000n,
    spendNanoUsd: usd("400"),
    maxBudgetNanoUsd: usd("500"),
    limitNanoUsd: usd("500"),
    used: 8_000n,
    periodStartedAt: PERIOD_START,
    resetsAt: RESET,
    limitVersion: 1,
    occurrence: 0,
    isSilent: false,
    detail: null,
    createdAt: NOW,
    ...differences,
  };
}

/** Its seal is none: the target lies open in it. */
export function aChannel(differences: Partial<ChannelRecord> = {}): ChannelRecord {
  const { kind = "slack" } = differences;
  return {
    id: channelIdOf(1),
    tenantId: null,
    kind,
    name: "ops",
    encryptedTarget: JSON.stringify(TARGETS[kind]),
    targetHint: "hooks.slack.com",
    enabled: true,
    createdAt: NOW,
    updatedAt: NOW,
    ...differences,
  };
}

/** One alert to one channel, of the ids that both have; nobody has tried it. */
export function aDispatch(
  differences: {
    alert?: Partial<AlertRecord>;
    channel?: Partial<ChannelRecord>;
    delivery?: Partial<DeliveryRecord>;
  } = {},
): Dispatch {
  const alert = anAlert(differences.alert);
  const channel = aChannel(differences.channel);
  return {
    delivery: {
      alertId: alert.id,
      channelId: channel.id,
      status: "pending",
      attempts: 0,
      nextAttemptAt: NOW,
      lastError: null,
      sentAt: null,
      ...differences.delivery,
    },
    alert,
    channel,
    tenantName: "Acme Inc.",
    alertThreshold: 8_000n,
    graceThreshold: 11_000n,
    enforcement: "enforce",
  };
}
