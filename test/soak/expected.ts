// The expected result of the traffic: which alerts, silent or not, and to which channels. Pure.

import { type AlertKey, alertIdentity } from "../../src/budget/alert.ts";
import { NOW } from "../budget/builders.ts";
import { idOf } from "../support/builders/builders.ts";
import type { SoakChannel } from "./channels.ts";
import type { Outcome } from "./outcome.ts";
import type { SoakTenant, Traffic } from "./traffic.ts";

/** The alerts of each band of the traffic. The band below the first threshold has none. */
const THRESHOLDS = [
  null,
  { eventType: "threshold_crossed", threshold: 8_000n },
  { eventType: "budget_crossed", threshold: 10_000n },
  { eventType: "budget_blocked", threshold: 11_000n },
] as const;

interface Alert {
  readonly tenantName: string;
  readonly identity: string;
  readonly isSilent: boolean;
}

export function expectedFrom(
  traffic: Traffic,
  channels: readonly SoakChannel[],
): Pick<Outcome, "alerts" | "deliveries" | "notices"> {
  const alerts = traffic.tenants.flatMap(thresholdsOf);
  const notices = alerts
    .filter(({ isSilent }) => !isSilent)
    .flatMap(({ tenantName, identity }) =>
      channels
        .filter((channel) => channel.tenantName === null || channel.tenantName === tenantName)
        .map((channel) => `${identity} to ${channel.name}`),
    )
    .sort();
  return {
    alerts: alerts.map(({ identity, isSilent }) => `${identity}${isSilent ? " silent" : ""}`).sort(),
    deliveries: notices.map((notice) => `${notice}: sent`),
    notices,
  };
}

function thresholdsOf(tenant: SoakTenant): Alert[] {
  const { reaches, isHintedOnly, adoptedAtNanoUsd } = tenant;
  const isAdopted = adoptedAtNanoUsd !== null;
  const crossed = Array.from({ length: reaches }, (_, index) => index + 1);
  // An adopted tenant's baseline alert is silent. When its spend reaches that threshold again, hours later, it is not.
  const first = isAdopted ? [alertOf(tenant, 1, 0, true)] : [];
  const occurrences = crossed.map((level) => alertOf(tenant, level, isAdopted && level === 1 ? 1 : 0, false));
  // Then LiteLLM repeats everything. A stock webhook names Bursar's threshold or the block; a signed one has the spend.
  const highest = Math.max(reaches, isAdopted ? 1 : 0);
  const repeated = isHintedOnly && highest === 2 ? 1 : highest;
  const occurrence = isAdopted && repeated === 1 && reaches >= 1 ? 2 : 1;
  return [...first, ...occurrences, ...(repeated === 0 ? [] : [alertOf(tenant, repeated, occurrence, false)])];
}

function alertOf({ name }: SoakTenant, level: number, occurrence: number, isSilent: boolean): Alert {
  const threshold = THRESHOLDS[level];
  if (!threshold) throw new Error(`no threshold: ${level}`);
  const key: AlertKey = { ...threshold, tenantId: idOf(name), periodStartedAt: NOW, limitVersion: 1, occurrence };
  return { tenantName: name, identity: alertIdentity(key), isSilent };
}
