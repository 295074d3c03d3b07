// Child processes that serve: waiting until they do, and ending them by process id.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

export class ServiceMissingError extends Error {
  constructor(service: string, remedy: string) {
    super(`there is no ${service} server on this machine (on Debian: ${remedy})`);
  }
}

const READY_MS = 30_000;
const LOOK_MS = 100;

/** A port that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

/** @throws Error when the process ends, or does not serve in time; it is ended then. */
export async function until(service: string, child: ChildProcess, serves: () => Promise<boolean>): Promise<void> {
  const patience = AbortSignal.timeout(READY_MS);
  while (!patience.aborted && child.exitCode === null) {
    if (await serves()) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  await endProcess(child, "SIGKILL");
  throw new Error(`${service} did not come up`);
}

export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}
