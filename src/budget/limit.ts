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

/** What is left up to the limit, never negative. Not the distance to the block threshold. */
export function remainingOf(limitNanoUsd: NanoUsd, spendNanoUsd: NanoUsd): NanoUsd {
  return spendNanoUsd < limitNanoUsd ? limitNanoUsd - spendNanoUsd : 0n;
}

/** What an override that is over has added to the limit version: one when it was granted, one when it ended. */
export const CHANGES_OF_ENDED = 2;

/** Rises by one with each change of the limit: a config change, an override granted, an override ended. */
export function limitVersion(config: TenantConfig, now: Instant): number {
  const granted = config.overrides.filter((override) => override.createdAt <= now).length;
  const ended = config.overrides.filter((override) => isOver(override, now)).length;
  return config.configVersion + CHANGES_OF_ENDED * config.endedOverrides + granted + ended;
}

/**
 * The config with the overrides that are over at `now` as a number. From `now` on it has the same limit and the same
 * limit version, and it stays small however many overrides a tenant has had.
 */
export function foldEnded(config: TenantConfig, now: Instant): TenantConfig {
  const overrides = config.overrides.filter((override) => !isOver(override, now));
  return { ...config, overrides, endedOverrides: config.endedOverrides + config.overrides.length - overrides.length };
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

function isOver(override: Override, now: Instant): boolean {
  return override.createdAt <= now && endOf(override) <= now;
}

function endOf(override: Override): Instant {
  return override.revokedAt === null ? override.expiresAt : Math.min(override.expiresAt, override.revokedAt);
}
