// The format version of queue messages and KV values. Two releases run side by side during a gradual deploy or a
// rollback, so a reader leaves alone the values of a later release instead of treating them as malformed.

/** The latest format that this release reads. Increase it with a value that the release before would misread. */
export const LATEST_VERSION = 2;

/** The format of a value that does not name a later one by itself, so that the release before still reads it. */
const VERSION = 1;

/** Adds the version. Readers also accept values without one, from releases before versions existed. */
export function versioned<T extends object>(value: T): T & { readonly v: number } {
  return { v: VERSION, ...value };
}

/** True when a later release wrote the value. A `v` that is not an integer is malformed, not a version. */
export function isOfLaterRelease(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !("v" in value)) return false;
  return Number.isSafeInteger(value.v) && (value.v as number) > LATEST_VERSION;
}
