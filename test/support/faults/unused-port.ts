// A port that the code under test has no business with: whatever is asked of it fails the test by name.

import type { Ports } from "../../../src/ports/ports.ts";

/** What neither a check nor an administrator of tenants needs. */
const NAMES = [
  "overrides",
  "spendBatches",
  "readLeases",
  "alerts",
  "platformAlerts",
  "deliveries",
  "channels",
  "audit",
  "deadLetters",
  "noticeQueue",
  "replayQueues",
  "notifier",
  "modelCalls",
] as const;
type Unused = Pick<Ports, (typeof NAMES)[number]>;

export function unusedPorts(): Unused {
  return Object.fromEntries(NAMES.map((name) => [name, unusedPort(name)])) as unknown as Unused;
}

export function unusedPort<T extends object>(name: string): T {
  return new Proxy({} as T, {
    get(_, verb) {
      throw new Error(`${name}.${String(verb)} is not for this`);
    },
  });
}
