// The format version of queue messages and KV values. Two releases run side by side during a gradual deploy or a
// rollback: a reader leaves alone what a later release has written, instead of taking it for garbage.

/** Raised when a reader of the release before could misread what this one writes. */
export const WIRE_VERSION = 1;

/** Stamps a message or a value. Values without a version come from releases before versions: readers accept them too. */
export function versioned<T extends object>(value: T): T & { readonly v: number } {
  return { v: WIRE_VERSION, ...value };
}

/** A later release wrote it. A `v` that is no whole number is garbage, not a version. */
export function isOfLaterRelease(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !("v" in value)) return false;
  return Number.isSafeInteger(value.v) && (value.v as number) > WIRE_VERSION;
}
