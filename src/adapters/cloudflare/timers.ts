// Cancellable timers, so that none outlives its request.

import type { Timers } from "../../ports/ports.ts";

export const realTimers: Timers = {
  after(ms) {
    const { promise: passed, resolve } = Promise.withResolvers<"passed">();
    const timer = setTimeout(() => resolve("passed"), ms);
    return { passed, cancel: () => clearTimeout(timer) };
  },
};
