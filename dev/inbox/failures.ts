// The failures configured for the inbox, by kind of message. Decides which call fails; the receivers word the answer.

import * as z from "zod";
import { KINDS, type Kind } from "./message.ts";

const statusFailure = z.strictObject({
  status: z.int().min(400).max(599),
  /** Sent unchanged as `Retry-After`. */
  retryAfter: z.string().optional(),
  /** The `E_…` code of the send_email binding. Default: a code that fits the status. */
  code: z.string().startsWith("E_").optional(),
});

export const failureSchema = z.strictObject({
  kind: z.enum([...KINDS, "any"]),
  how: z.union([statusFailure, z.strictObject({ timeout: z.literal(true) })]),
  /** Ends the failure after this number of failed calls. Default: it lasts until `DELETE /_fail`. */
  times: z.int().min(1).optional(),
});

export type Failure = z.infer<typeof failureSchema>;
export type StatusFailure = z.infer<typeof statusFailure>;

export interface Failures {
  /** Sets the failure of its kind and replaces the previous one; null removes all failures. */
  set(failure: Failure | null): void;
  /** Counts down and returns the failure for a call: that of its kind, else that of "any". Null: the call succeeds. */
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
