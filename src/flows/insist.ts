// Trying again at once what must not be lost to a hiccup. Never throws: what came of it is for the caller to weigh.

import type { Ports } from "../ports/ports.ts";
import { failure, type Result, success } from "../ports/result.ts";

/** After each failed try. Three tries ride out a dropped connection; an outage of seconds they leave to the queue. */
const PAUSES_MS = [100, 400, 0] as const;

/** The last error when all tries have failed; it is logged. */
export async function insist(
  what: string,
  work: () => Promise<void>,
  { timers, log }: Pick<Ports, "timers" | "log">,
): Promise<Result<void, unknown>> {
  let last: unknown = null;
  for (const pauseMs of PAUSES_MS) {
    try {
      await work();
      return success(undefined);
    } catch (cause) {
      last = cause;
    }
    await timers.after(pauseMs).passed;
  }
  log.error(`${what} failed`, last);
  return failure(last);
}
