// A port that the code under test must not use: each call throws an error with the name of the port and the verb.

import type { Ports } from "../../../src/ports/ports.ts";

/** Ports that neither a check nor the administration of tenants uses. */
const NAMES = [
  "tenantKeys",
  "overrides",
  "spendBatches",
  "ledgers",
  "readLeases",
  "alerts",
  "platformAlerts",
  "deliveries",
  "channels",
  "audit",
  "retention",
  "deadLetters",
  "noticeQueue",
  "replayQueues",
  "notifier",
  "channelBreakers",
  "modelCalls",
] as const;
type Unused = Pick<Ports, (typeof NAMES)[number]>;

export function unusedPorts(): Unused {
  return Object.fromEntries(NAMES.map((name) => [name, unusedPort(name)])) as unknown as Unused;
}

export function unusedPort<T extends object>(name: string): T {
  return new Proxy({} as T, {
    get(_, verb) {
      throw new Error(`unexpected call of ${name}.${String(verb)}`);
    },
  });
}
