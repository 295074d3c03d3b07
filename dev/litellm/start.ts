// Starts the LiteLLM simulator: a double of the proxy, for tests, the local stack and benchmarks.
// Must never be reachable from another machine, and keeps everything in memory.

import { type Part, startPart } from "../part.ts";
import { litellmApp } from "./app.ts";
import { Outgoing } from "./outgoing/outgoing.ts";
import type { Receivers } from "./outgoing/receivers.ts";
import type { SentRequest } from "./outgoing/sent-log.ts";
import { type LoggedRequest, RequestLog } from "./request-log.ts";
import { type LitellmOptions, type Settings, settingsFrom } from "./settings.ts";
import { Store } from "./state/store.ts";

export interface Litellm extends Part {
  readonly masterKey: string;
  /**
   * Adds spend (USD) to a key (raw or hash) or a team, as calls of that cost would have: enforced at once, in the
   * database later. Spend of a key is also its team's.
   */
  spend(keyOrTeam: string, usd: number): void;
  /** Makes a spend exactly this, everywhere at once. */
  setSpend(keyOrTeam: string, usd: number): void;
  /** Writes to the database now what is on its way there. */
  flushSpend(): void;
  /** Runs the job that ends periods, now. */
  runResetJob(): void;
  /** The management requests that reached a route or were refused by one; faults keep requests from here. */
  requests(): LoggedRequest[];
  clearRequests(): void;
  /** Says where to send from now on; what is left out stays as it is, null disconnects. */
  connect(receivers: Receivers): void;
  /** Sends the gathered call events now, and resolves when they are answered. */
  flushEvents(): Promise<void>;
  /** Resolves when every webhook and batch that is on its way has been answered. */
  settled(): Promise<void>;
  /** What was sent out, in the order of the answers. */
  sent(): SentRequest[];
  clearSent(): void;
}

/** @throws PortTakenError when `port` is not free. */
export async function startLitellm(options: LitellmOptions = {}): Promise<Litellm> {
  const asked = settingsFrom(options);
  const outgoing = new Outgoing(asked);
  outgoing.connect(asked.receivers);
  const settings: Settings = {
    ...asked,
    listener(event) {
      asked.listener(event);
      outgoing.hear(event);
    },
  };
  const store = new Store(settings);
  const log = new RequestLog();
  const app = litellmApp(store, log, outgoing);
  const part = await startPart({
    name: "litellm",
    port: options.port ?? 0,
    portVariable: "LITELLM_PORT",
    handler: (request) => app.fetch(request),
  });
  return {
    ...part,
    ...outgoingHandle(outgoing),
    async stop() {
      outgoing.stop();
      await part.stop();
    },
    async restart() {
      await part.restart();
      outgoing.restart();
    },
    masterKey: settings.masterKey,
    spend: (keyOrTeam, usd) => store.spend(keyOrTeam, usd),
    setSpend: (keyOrTeam, usd) => store.setSpend(keyOrTeam, usd),
    flushSpend: () => store.flushSpend(),
    runResetJob: () => store.runResetJob(),
    requests: () => log.all(),
    clearRequests: () => log.clear(),
  };
}

function outgoingHandle(outgoing: Outgoing) {
  return {
    connect: (receivers: Receivers) => outgoing.connect(receivers),
    flushEvents: () => outgoing.flushEvents(),
    settled: () => outgoing.settled(),
    sent: () => outgoing.sent.all(),
    clearSent: () => outgoing.sent.clear(),
  };
}
