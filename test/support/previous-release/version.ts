// The versions that the release before calls were counted reads. Frozen. Two releases run side by side during a gradual
// deploy or a rollback, so a reader leaves alone the values of a later release instead of treating them as malformed.

/** Increase it when a reader of the previous release could misread a new value. */
export const WIRE_VERSION = 1;

/** Adds the version. Readers also accept values without one, from releases before versions existed. */
export function versioned<T extends object>(value: T): T & { readonly v: number } {
  return { v: WIRE_VERSION, ...value };
}

/** True when a later release wrote the value. A `v` that is not an integer is malformed, not a version. */
export function isOfLaterRelease(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !("v" in value)) return false;
  return Number.isSafeInteger(value.v) && (value.v as number) > WIRE_VERSION;
}
