// The deadline of a check, and waiting for another check of the isolate until then.

import type { Ports } from "../../ports/ports.ts";

export type Deadline = Promise<"passed">;

/** Requests share no promise, so a check polls the memory for what another check leaves there. */
const POLL_MS = 5;

/** False when the deadline passes before `isReady`. */
export async function pollMemory(
  isReady: () => boolean,
  deadline: Deadline,
  { timers }: Pick<Ports, "timers">,
): Promise<boolean> {
  let isOver = false;
  void deadline.then(() => {
    isOver = true;
  });
  while (!isOver) {
    if (isReady()) return true;
    await timers.after(POLL_MS).passed;
  }
  return false;
}
