// How serious an event is, and which channels get it. Reads no clock.

import type { AlertEventType } from "../alert.ts";

export const SEVERITIES = ["info", "warning", "critical"] as const;

export type Severity = (typeof SEVERITIES)[number];

/** A resolution has the severity of what it ends, so a channel that gets a block gets its end. */
const SEVERITY_OF_EVENT: Readonly<Record<AlertEventType, Severity>> = {
  threshold_crossed: "warning",
  budget_crossed: "critical",
  budget_blocked: "critical",
  budget_resolved: "critical",
  projected_limit_exceeded: "warning",
  budget_reset: "info",
  override_granted: "info",
  override_ended: "info",
  tenant_suspended: "critical",
  tenant_resumed: "critical",
};

const SEVERITY_OF_CONDITION = {
  dead_letter: "warning",
  sync_pending: "warning",
  litellm_silent: "critical",
  litellm_out: "critical",
  litellm_unreadable: "critical",
  subject_missing: "warning",
  /** Single tenants have not been read for an hour; `litellm_silent` and `litellm_out` are about all of them. */
  tenants_unread: "warning",
  /** A second key in LiteLLM has the mark of a tenant whose own key lives. */
  mark_copied: "warning",
  /** LiteLLM shows much less spend of a tenant than before, within one period. */
  spend_fell: "warning",
  /** The provider of a channel refuses its notices for good. */
  channel_broken: "warning",
} as const satisfies Readonly<Record<string, Severity>>;

/** A condition of the platform, and the name by which a channel asks for it. */
export type Condition = keyof typeof SEVERITY_OF_CONDITION;
export type ChannelEvent = AlertEventType | `platform.${Condition}`;

/** `budgets_reset` is no condition: it is the digest of the resets of one hour. */
export type PlatformAlertKind = Condition | "budgets_reset";

export const PLATFORM_ALERT_KINDS: readonly PlatformAlertKind[] = [
  ...(Object.keys(SEVERITY_OF_CONDITION) as Condition[]),
  "budgets_reset",
];

/** Alerts of what has happened, not of a condition that lasts: a later one is about something else. */
export const PLATFORM_EVENTS: readonly PlatformAlertKind[] = [
  "mark_copied",
  "spend_fell",
  "channel_broken",
  "budgets_reset",
];

const SEVERITY_OF = {
  ...SEVERITY_OF_EVENT,
  ...Object.fromEntries(
    Object.entries(SEVERITY_OF_CONDITION).map(([name, severity]) => [`platform.${name}`, severity]),
  ),
} as Readonly<Record<ChannelEvent, Severity>>;

/** What a channel can ask for. Projections send no notice, so a channel that asked for them would hear nothing. */
export const CHANNEL_EVENTS: readonly ChannelEvent[] = [
  ...(Object.keys(SEVERITY_OF_EVENT) as AlertEventType[]).filter((event) => event !== "projected_limit_exceeded"),
  ...(Object.keys(SEVERITY_OF_CONDITION) as Condition[]).map((condition) => `platform.${condition}` as const),
];

/**
 * A channel that gets the beginning gets the end. Otherwise an incident of PagerDuty stays open for ever, and the next
 * block is silent in it.
 */
const BEGUN_BY: Partial<Readonly<Record<AlertEventType, AlertEventType>>> = {
  budget_resolved: "budget_blocked",
  tenant_resumed: "tenant_suspended",
};

/** Which channels get an event. */
export interface Audience {
  /** Each of them is enough for a channel that names its events. */
  readonly events: readonly ChannelEvent[];
  /** The `min_severity` of the channels that get it. */
  readonly severities: readonly Severity[];
  /** Whether a channel of the platform gets it without asking: a thousand resets at once are no news to operators. */
  readonly isPlatformDefault: boolean;
}

export function severityOf(eventType: AlertEventType): Severity {
  return SEVERITY_OF_EVENT[eventType];
}

export function severityOfCondition(condition: Condition): Severity {
  return SEVERITY_OF_CONDITION[condition];
}

export function audienceOf(eventType: AlertEventType): Audience {
  const begun = BEGUN_BY[eventType];
  return {
    events: begun === undefined ? [eventType] : [eventType, begun],
    severities: upTo(severityOf(eventType)),
    isPlatformDefault: eventType !== "budget_reset",
  };
}

export function audienceOfCondition(condition: Condition): Audience {
  const severities = upTo(severityOfCondition(condition));
  return { events: [`platform.${condition}`], severities, isPlatformDefault: true };
}

/** False for a channel whose `min_severity` is above each of its events: it would never hear anything. */
export function hearsAnything(events: readonly ChannelEvent[] | null, minSeverity: Severity): boolean {
  return events === null || events.some((event) => upTo(SEVERITY_OF[event]).includes(minSeverity));
}

function upTo(severity: Severity): Severity[] {
  return SEVERITIES.slice(0, SEVERITIES.indexOf(severity) + 1);
}
