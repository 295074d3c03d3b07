// Where the simulator sends to: what can be set about each receiver, at the start and at run time.
// Must never be shown to anyone: it holds the receivers' secrets.

import { type Body, isDict } from "../dict.ts";
import { detailError } from "../errors.ts";
import { checkFields, type FieldTypes } from "../fields.ts";

/** A number, or a range from which one is drawn each time, both ends included. */
export type Amount = number | { min: number; max: number };

/** `WEBHOOK_URL` with `alerting: ["slack", "webhook"]`. */
export interface WebhookReceiver {
  url: string;
  /** How long an event of a key or team is not sent again: `alerting_args.budget_alert_ttl`. Unset: 24 h. */
  budgetAlertTtlMs?: number;
  /** A fault: each alert arrives so many times. Unset: once. */
  copies?: Amount;
  /** A fault: each copy is so long on its way, so that alerts overtake each other. Unset: not at all. */
  delayMs?: Amount;
  relay?: Relay;
}

/**
 * A relay of one's own between LiteLLM and the receiver, which signs what it passes on. No LiteLLM has this:
 * its webhook carries no signature, no timestamp and no header that could be set.
 */
export interface Relay {
  /** The three headers of Standard Webhooks, or `X-LiteLLM-Signature: sha256=<hex>` of the body. */
  scheme: "standard-webhooks" | "x-litellm-signature";
  /** After `whsec_` the key in base64; any other text is the key itself. */
  secret: string;
}

/** The `generic_api` callback, whose headers can be set: it sends `Authorization: Bearer <token>`. */
export interface EventsReceiver {
  url: string;
  token: string;
  /** Unset: `json_array`. */
  logFormat?: "json_array" | "ndjson" | "single";
  /** `litellm_settings.turn_off_message_logging`: no words of calls are sent. */
  turnOffMessageLogging?: boolean;
  /** Unset: 5 s, LiteLLM's fixed interval. */
  flushEveryMs?: number;
}

/** A `generic_guardrail_api` of mode `pre_call`, on by default. */
export interface GuardrailReceiver {
  /** Its `api_base`. */
  url: string;
  token: string;
  /** `fail_open` lets calls pass when the guardrail does not answer. Only 1.84 supports it. */
  unreachableFallback?: "fail_closed" | "fail_open";
  /** `false` lets calls pass on any failure of the guardrail. Only 1.84 heeds it. */
  failOnError?: boolean;
  /** Unset: LiteLLM's 600 s. */
  timeoutMs?: number;
}

/** What is left out stays as it is; null disconnects. */
export interface Receivers {
  webhook?: WebhookReceiver | null;
  events?: EventsReceiver | null;
  guardrail?: GuardrailReceiver | null;
}

const FIELDS: Record<keyof Receivers, FieldTypes> = {
  webhook: { url: "string!", budgetAlertTtlMs: "number", relay: "dict" },
  events: {
    url: "string!",
    token: "string!",
    logFormat: "string",
    turnOffMessageLogging: "boolean",
    flushEveryMs: "number",
  },
  guardrail: {
    url: "string!",
    token: "string!",
    unreachableFallback: "string",
    failOnError: "boolean",
    timeoutMs: "number",
  },
};

/** @throws LitellmError that says what is wrong, without repeating a secret. */
export function receiversFrom(body: unknown): Receivers {
  if (!isDict(body)) throw detailError(400, "receivers are needed");
  const receivers: Body = {};
  for (const [name, value] of Object.entries(body)) {
    const fields = Object.hasOwn(FIELDS, name) ? FIELDS[name as keyof Receivers] : undefined;
    if (fields === undefined) throw detailError(400, `there is no receiver ${name}`);
    receivers[name] = value === null ? null : { ...checkFields(value, fields), ...amountsIn(value) };
  }
  return receivers;
}

function amountsIn(receiver: unknown): Body {
  const named = isDict(receiver) ? receiver : {};
  const sent = Object.entries(named).filter(([name]) => name === "copies" || name === "delayMs");
  for (const [name, value] of sent) {
    const ends = isDict(value) ? [value["min"], value["max"]] : [value];
    if (!ends.every((end) => typeof end === "number" && end >= 0)) {
      throw detailError(400, `${name} is a number or {min, max}`);
    }
  }
  return Object.fromEntries(sent);
}

/** Between the two ends, as `random` (0 to below 1) has it. */
export function drawn(amount: Amount, random: () => number): number {
  if (typeof amount === "number") return amount;
  return amount.min + random() * (amount.max - amount.min);
}

/** The same as a whole number, each equally likely. */
export function drawnWhole(amount: Amount, random: () => number): number {
  if (typeof amount === "number") return amount;
  return amount.min + Math.floor(random() * (amount.max - amount.min + 1));
}
