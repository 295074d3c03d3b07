// Child processes that run a server: waits until they are ready, and stops them by process id.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import pWaitFor from "p-wait-for";

export class ServiceMissingError extends Error {
  constructor(service: string, remedy: string) {
    super(`${service} is not installed on this machine (on Debian: ${remedy})`);
  }
}

const READY_MS = 30_000;
const POLL_MS = 100;

/** @throws Error when the process exits or is not ready in time. The caller stops the process. */
export async function untilReady(
  service: string,
  child: ChildProcess,
  isReady: () => Promise<boolean>,
  timeoutMs = READY_MS,
): Promise<void> {
  const poll = async () => {
    if (child.exitCode !== null) throw new Error(`${service} exited with code ${child.exitCode}`);
    return isReady();
  };
  const message = `${service} was not ready within ${timeoutMs / 1_000} s`;
  await pWaitFor(poll, { interval: POLL_MS, timeout: { milliseconds: timeoutMs, message } });
}

/** Sends `signal` and waits for the exit. `killAfterMs`: sends SIGKILL if the process still runs after this time. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals, killAfterMs?: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  const kill = killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  await ended;
  clearTimeout(kill);
}
