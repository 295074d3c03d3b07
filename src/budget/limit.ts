// The limit: how much a tenant may spend in its period. Reads no clock; `now` is always an argument.

import type { Instant } from "./instant.ts";
import { type NanoUsd, partOf } from "./money.ts";
import type { Override, TenantConfig } from "./tenant.ts";

export interface Limit {
  readonly limitNanoUsd: NanoUsd;
  readonly overrideNanoUsd: NanoUsd;
  /** The spend at and above which the tenant is blocked. */
  readonly blocksAtNanoUsd: NanoUsd;
  /** The spend at and above which Bursar alerts the tenant's channels. */
  readonly alertsAtNanoUsd: NanoUsd;
}

/**
 * max_budget plus the overrides that are active at `now`, with the block threshold and the alert threshold in
 * nano-dollars.
 */
export function limitAt(config: TenantConfig, now: Instant): Limit {
  const overrideNanoUsd = overridesAt(config, now).reduce((sum, override) => sum + override.amountNanoUsd, 0n);
  const limitNanoUsd = config.maxBudgetNanoUsd + overrideNanoUsd;
  return {
    limitNanoUsd,
    overrideNanoUsd,
    blocksAtNanoUsd: partOf(limitNanoUsd, config.graceThreshold),
    alertsAtNanoUsd: partOf(limitNanoUsd, config.alertThreshold),
  };
}

/** Rises by one with each change of the limit: a config change, an override granted, an override ended. */
export function limitVersion(config: TenantConfig, now: Instant): number {
  const granted = config.overrides.filter((override) => override.createdAt <= now).length;
  const ended = config.overrides.filter((override) => override.createdAt <= now && endOf(override) <= now).length;
  return config.configVersion + granted + ended;
}

/** The next instant at which an override begins or ends; null when there is none. */
export function nextLimitChange(config: TenantConfig, now: Instant): Instant | null {
  const instants = config.overrides.flatMap((override) =>
    endOf(override) <= override.createdAt ? [] : [override.createdAt, endOf(override)],
  );
  const ahead = instants.filter((instant) => instant > now);
  return ahead.length === 0 ? null : Math.min(...ahead);
}

/** The overrides that are active at `now`. */
export function overridesAt(config: TenantConfig, now: Instant): readonly Override[] {
  return config.overrides.filter((override) => override.createdAt <= now && now < endOf(override));
}

function endOf(override: Override): Instant {
  return override.revokedAt === null ? override.expiresAt : Math.min(override.expiresAt, override.revokedAt);
}
