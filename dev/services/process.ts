// Child processes that serve: waiting until they are ready, and ending them by process id.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import pWaitFor from "p-wait-for";

export class ServiceMissingError extends Error {
  constructor(service: string, remedy: string) {
    super(`there is no ${service} server on this machine (on Debian: ${remedy})`);
  }
}

const READY_MS = 30_000;
const POLL_MS = 100;

/** @throws Error when the process ends, or is not ready in time; the caller ends it. */
export async function untilReady(
  service: string,
  child: ChildProcess,
  isReady: () => Promise<boolean>,
  timeoutMs = READY_MS,
): Promise<void> {
  const poll = async () => {
    if (child.exitCode !== null) throw new Error(`${service} ended with exit code ${child.exitCode}`);
    return isReady();
  };
  const message = `${service} was not ready within ${timeoutMs / 1_000} s`;
  await pWaitFor(poll, { interval: POLL_MS, timeout: { milliseconds: timeoutMs, message } });
}

/** `killAfterMs`: kills a process that has not ended by then. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals, killAfterMs?: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  const kill = killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  await ended;
  clearTimeout(kill);
}
