// Starts the LiteLLM simulator, a test double of the proxy for tests, the local stack and benchmarks.
// Keeps everything in memory. Must never be reachable from another machine.

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
   * Adds spend (USD) to a key (raw or hash) or a team, like calls of that cost: enforced at once, in the database
   * later. Spend of a key also counts for its team.
   */
  spend(keyOrTeam: string, usd: number): void;
  /** Sets a spend in memory and database at once. */
  setSpend(keyOrTeam: string, usd: number): void;
  /** Holds back USD of a key for calls in flight: calls that this leaves no budget are refused. 0 ends it. */
  reserve(key: string, usd: number): void;
  /** Writes the unwritten spend to the database now. */
  flushSpend(): void;
  /** Runs the job that ends periods now. */
  runResetJob(): void;
  /** The management requests that reached a route, including refused ones. A fault of the part hides requests. */
  requests(): LoggedRequest[];
  clearRequests(): void;
  /** Sets the receivers. A receiver that is left out stays unchanged; null disconnects it. */
  connect(receivers: Receivers): void;
  /** Sends the collected call events now, and resolves when they are answered. */
  flushEvents(): Promise<void>;
  /** Resolves when every webhook and batch in flight has been answered. */
  settled(): Promise<void>;
  /** The requests that were sent, in the order of their answers. */
  sent(): SentRequest[];
  clearSent(): void;
}

/** @throws PortTakenError when `port` is not free. */
export async function startLitellm(options: LitellmOptions = {}): Promise<Litellm> {
  const requested = settingsFrom(options);
  const outgoing = new Outgoing(requested);
  outgoing.connect(requested.receivers);
  const settings: Settings = {
    ...requested,
    listener(event) {
      requested.listener(event);
      outgoing.handle(event);
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
    reserve: (key, usd) => store.reserve(key, usd),
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
