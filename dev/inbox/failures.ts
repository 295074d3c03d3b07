// What the inbox was told to fail, by kind of message. It decides which call fails; the doors say how that sounds.

import * as z from "zod";
import { KINDS, type Kind } from "./message.ts";

const statusFailure = z.strictObject({
  status: z.int().min(400).max(599),
  /** Sent as `Retry-After`, as it stands. */
  retryAfter: z.string().optional(),
  /** The `E_…` code of the send_email binding; without it, one that fits the status. */
  code: z.string().startsWith("E_").optional(),
});

export const failureSchema = z.strictObject({
  kind: z.enum([...KINDS, "any"]),
  how: z.union([statusFailure, z.strictObject({ timeout: z.literal(true) })]),
  /** Mended after so many failed calls; without it, by `DELETE /_fail` only. */
  times: z.int().min(1).optional(),
});

export type Failure = z.infer<typeof failureSchema>;
export type StatusFailure = z.infer<typeof statusFailure>;

export interface Failures {
  /** Sets the failure of its kind, in place of the one before; null mends every kind. */
  set(failure: Failure | null): void;
  /** The failure of a call of this kind, counted down; its own kind's before that of "any". Null: let it pass. */
  take(kind: Kind): Failure["how"] | null;
  list(): Failure[];
}

export function createFailures(): Failures {
  const byKind = new Map<Failure["kind"], Failure>();
  return {
    set(failure) {
      if (failure === null) byKind.clear();
      else byKind.set(failure.kind, failure);
    },
    take(kind) {
      const failure = byKind.get(kind) ?? byKind.get("any");
      if (failure === undefined) return null;
      if (failure.times === 1) byKind.delete(failure.kind);
      else if (failure.times !== undefined) byKind.set(failure.kind, { ...failure, times: failure.times - 1 });
      return failure.how;
    },
    list: () => [...byKind.values()],
  };
}
