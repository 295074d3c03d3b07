// Builders of alerts, channels and deliveries as Postgres stores them. A test sets only the fields that it is about.

import type { AlertId, AlertRecord } from "../../../src/records/alert.ts";
import type { ChannelId, ChannelRecord, ChannelTarget } from "../../../src/records/channel.ts";
import type { DeliveryRecord, Dispatch } from "../../../src/records/delivery.ts";
import { NOW, PERIOD_START, RESET, usd } from "../../budget/builders.ts";
import { idOf } from "./builders.ts";

/** A UUID that ends in the number. */
export const uuidOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
export const alertIdOf = (number: number) => uuidOf(number) as AlertId;
export const channelIdOf = (number: number) => uuidOf(number) as ChannelId;

/** Each target has a secret part, which must never appear anywhere else. */
export const TARGETS = {
  slack: { kind: "slack", url: "https://hooks.slack.com/services/T0/SECRET-PATH" },
  email: { kind: "email", to: ["SECRET-PERSON@example.com"] },
  webhook: { kind: "webhook", url: "https://example.com/hook?token=SECRET-TOKEN", secret: "whsec_SECRET" },
  pagerduty: { kind: "pagerduty", routingKey: "SECRETSECRETSECRETSECRETSECRET12" },
  teams: { kind: "teams", url: "https://prod-1.westeurope.logic.azure.com/workflows/SECRET-PATH" },
  discord: { kind: "discord", url: "https://discord.com/api/webhooks/1/SECRET-PATH" },
} as const satisfies Record<string, ChannelTarget>;

/** The 80 % alert of `acme`: $400 of $500. */
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
    repetition: 0,
    isSilent: false,
    detail: null,
    createdAt: NOW,
    ...differences,
  };
}

/** `encryptedTarget` is plain JSON, for tests with a cipher that encrypts nothing. */
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
    events: null,
    minSeverity: "info",
    lastError: null,
    lastErrorAt: null,
    brokenSince: null,
    version: 1,
    createdAt: NOW,
    updatedAt: NOW,
    ...differences,
  };
}

/** A delivery of one alert to one channel, before the first attempt. */
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
      turnAt: null,
      lastError: null,
      sentAt: null,
      ...differences.delivery,
    },
    alert,
    channel,
    tenantName: "Acme Inc.",
    tenantMetadata: { crm_id: "4711" },
    alertThreshold: 8_000n,
    graceThreshold: 11_000n,
    enforcement: "enforce",
  };
}
