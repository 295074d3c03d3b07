// What can be set about the simulator, and what holds when nothing is said.
// Must never read the environment: the caller does.

import type { CallListener } from "./calls/call-events.ts";
import type { EventsReceiver, GuardrailReceiver, Receivers, WebhookReceiver } from "./outgoing/receivers.ts";

/** "1.81.9" refuses over budget with 400; "1.84" with 429 and a message that names the key. */
export type LitellmVersion = "1.81.9" | "1.84";

export interface LitellmOptions {
  /** 0 takes any free port. */
  port?: number;
  masterKey?: string;
  version?: LitellmVersion;
  /** How late spend reaches the database. Unset: 10 s and up to 5 s more, as LiteLLM's writer job runs. */
  databaseDelayMs?: number;
  /** How often the reset job looks. 0: a period ends on time; Infinity: never. */
  resetCheckMs?: number;
  /** How long a key or team stays in the proxy's memory before it is read from the database again. */
  cacheTtlMs?: number;
  /** How long a model call takes. Unset: up to 2 ms. */
  callMs?: number;
  /** What a call costs (USD) that says nothing of its cost. */
  defaultCost?: number;
  /** The clock, in ms; every delay above runs by it, except `callMs`. */
  now?: () => number;
  /** Called with the events of calls. */
  listener?: CallListener;
  /** Where budget alerts go. Unset: nowhere. */
  webhook?: WebhookReceiver;
  /** Where finished and refused calls are reported. Unset: nowhere. */
  events?: EventsReceiver;
  /** The guardrail that is asked before each call. Unset: none. */
  guardrail?: GuardrailReceiver;
  /** 0 to below 1; draws the copies and delays of webhooks. Unset: `Math.random`. */
  random?: () => number;
}

export interface Settings {
  masterKey: string;
  version: LitellmVersion;
  databaseDelayMs: () => number;
  resetCheckMs: number;
  cacheTtlMs: number;
  callMs: () => number;
  defaultCost: number;
  now: () => number;
  listener: CallListener;
  receivers: Receivers;
  random: () => number;
}

export function settingsFrom(options: LitellmOptions): Settings {
  const { databaseDelayMs, callMs } = options;
  return {
    masterKey: options.masterKey ?? "sk-dev-master",
    version: options.version ?? "1.81.9",
    databaseDelayMs: () => databaseDelayMs ?? 10_000 + Math.random() * 5_000,
    resetCheckMs: options.resetCheckMs ?? 597_000 + Math.random() * 8_000,
    cacheTtlMs: options.cacheTtlMs ?? 60_000,
    callMs: () => callMs ?? Math.random() * 2,
    defaultCost: options.defaultCost ?? 0.01,
    now: options.now ?? Date.now,
    listener: options.listener ?? (() => {}),
    receivers: {
      webhook: options.webhook ?? null,
      events: options.events ?? null,
      guardrail: options.guardrail ?? null,
    },
    random: options.random ?? Math.random,
  };
}
