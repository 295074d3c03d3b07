// The receivers of the simulator's requests, and their settings at the start and at run time.
// Must never be printed: the settings contain the receivers' secrets.

import { type Body, isDict } from "../dict.ts";
import { detailError } from "../errors.ts";
import { checkFields, type FieldTypes } from "../fields.ts";

/** A number, or a range with both ends included, from which a number is drawn each time. */
export type Amount = number | { min: number; max: number };

/** `WEBHOOK_URL` with `alerting: ["slack", "webhook"]`. */
export interface WebhookReceiver {
  url: string;
  /** Minimum time between two alerts of the same event and subject: `alerting_args.budget_alert_ttl`. Default: 24 h. */
  budgetAlertTtlMs?: number;
  /** A fault: how many times each alert arrives. Default: once. */
  copies?: Amount;
  /** A fault: the delay of each copy, which lets alerts arrive out of order. Default: no delay. */
  delayMs?: Amount;
  relay?: Relay;
}

/**
 * An operator's own relay between LiteLLM and the receiver, which signs the alerts that it forwards. LiteLLM itself has
 * no such feature: its webhook has no signature, no timestamp and no configurable header.
 */
export interface Relay {
  /** The three headers of Standard Webhooks, or `X-LiteLLM-Signature: sha256=<hex>` of the body. */
  scheme: "standard-webhooks" | "x-litellm-signature";
  /** `whsec_` and the key in base64; any other text is used as the key itself. */
  secret: string;
}

/** The `generic_api` callback. Its headers are configurable; it sends `Authorization: Bearer <token>`. */
export interface EventsReceiver {
  url: string;
  token: string;
  /** Default: `json_array`. */
  logFormat?: "json_array" | "ndjson" | "single";
  /** `litellm_settings.turn_off_message_logging`: events omit the text of prompts and responses. */
  turnOffMessageLogging?: boolean;
  /** `litellm_settings.global_disable_no_log_param`: a body's `no-log` is ignored. */
  globalDisableNoLogParam?: boolean;
  /** Default: 5 s, LiteLLM's fixed interval. */
  flushEveryMs?: number;
}

/** A `generic_guardrail_api` of mode `pre_call`, on by default. */
export interface GuardrailReceiver {
  /** Its `api_base`. */
  url: string;
  token: string;
  /** `fail_open` allows calls when the guardrail is unreachable. Since 1.83. */
  unreachableFallback?: "fail_closed" | "fail_open";
  /** `false` allows calls on any failure of the guardrail. Since 1.103. */
  failOnError?: boolean;
  /** Default: LiteLLM's 600 s. */
  timeoutMs?: number;
}

/** A receiver that is left out stays unchanged; null disconnects it. */
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
    globalDisableNoLogParam: "boolean",
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

/** @throws LitellmError that names the invalid field without repeating a secret. */
export function receiversFrom(body: unknown): Receivers {
  if (!isDict(body)) throw detailError(400, "the body must be an object of receivers");
  const receivers: Body = {};
  for (const [name, value] of Object.entries(body)) {
    const fields = Object.hasOwn(FIELDS, name) ? FIELDS[name as keyof Receivers] : undefined;
    if (fields === undefined) throw detailError(400, `unknown receiver ${name}`);
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
      throw detailError(400, `${name} must be a number or {min, max}`);
    }
  }
  return Object.fromEntries(sent);
}

/** Draws a number between the two ends. `random` returns 0 to below 1. */
export function drawn(amount: Amount, random: () => number): number {
  if (typeof amount === "number") return amount;
  return amount.min + random() * (amount.max - amount.min);
}

/** Draws a whole number between the two ends, each with the same probability. */
export function drawnWhole(amount: Amount, random: () => number): number {
  if (typeof amount === "number") return amount;
  return amount.min + Math.floor(random() * (amount.max - amount.min + 1));
}
