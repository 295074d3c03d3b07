// The simulator's options and their defaults.
// Must never read the environment; the caller does.

import type { CallListener } from "./calls/call-events.ts";
import type { EventsReceiver, GuardrailReceiver, Receivers, WebhookReceiver } from "./outgoing/receivers.ts";
import { type Behaviour, behaviourOf, type LitellmProfile } from "./profiles.ts";

export interface LitellmOptions {
  /** 0 picks any free port. */
  port?: number;
  masterKey?: string;
  /** The generation of LiteLLM to behave as. Default: "1.81". */
  profile?: LitellmProfile;
  /** Delay until spend reaches the database. Default: 10 to 15 s, since 1.103 up to 25 s. */
  databaseDelayMs?: number;
  /** Interval of the reset job. 0: every period ends on time; Infinity: no period ends. */
  resetCheckMs?: number;
  /** How long the proxy keeps a key or team in memory before it reads the database again. */
  cacheTtlMs?: number;
  /** Duration of a model call. Default: up to 2 ms. */
  callMs?: number;
  /** Cost (USD) of a call that does not set its own. */
  defaultCost?: number;
  /** The clock, in ms. All delays above use it, except `callMs`. */
  now?: () => number;
  /** Called with the events of calls. */
  listener?: CallListener;
  /** The receiver of budget alerts. Default: none. */
  webhook?: WebhookReceiver;
  /** The receiver of events for finished and refused calls. Default: none. */
  events?: EventsReceiver;
  /** The guardrail that LiteLLM asks before each call. Default: none. */
  guardrail?: GuardrailReceiver;
  /** Returns 0 to below 1; draws delays and copies of webhooks, and the delay of spend. Default: `Math.random`. */
  random?: () => number;
}

export interface Settings {
  masterKey: string;
  behaviour: Behaviour;
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
  const behaviour = behaviourOf(options.profile ?? "1.81");
  const { min, max } = behaviour.databaseDelayMs;
  const random = options.random ?? Math.random;
  return {
    masterKey: options.masterKey ?? "sk-dev-master",
    behaviour,
    databaseDelayMs: () => databaseDelayMs ?? min + random() * (max - min),
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
    random,
  };
}
