// How serious an event is, and which channels hear of it. Reads no clock.

import type { AlertEventType } from "../alert.ts";

export const SEVERITIES = ["info", "warning", "critical"] as const;

export type Severity = (typeof SEVERITIES)[number];

/** A resolution has the severity of what it ends, so a channel that hears of a block hears of its end. */
const OF_EVENT: Readonly<Record<AlertEventType, Severity>> = {
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

const OF_CONDITION = {
  dead_letter: "warning",
  sync_pending: "warning",
  litellm_silent: "critical",
  litellm_out: "critical",
  litellm_unreadable: "critical",
  subject_missing: "warning",
  mark_copied: "warning",
  spend_fell: "warning",
  tenants_unread: "warning",
  channel_broken: "warning",
} as const satisfies Readonly<Record<string, Severity>>;

/** A condition of the platform, and the name by which a channel asks for it. */
export type Condition = keyof typeof OF_CONDITION;
export type ChannelEvent = AlertEventType | `platform.${Condition}`;

/** What a channel can ask for. Projections send no notice, so a channel that asked for them would hear nothing. */
export const CHANNEL_EVENTS: readonly ChannelEvent[] = [
  ...(Object.keys(OF_EVENT) as AlertEventType[]).filter((event) => event !== "projected_limit_exceeded"),
  ...(Object.keys(OF_CONDITION) as Condition[]).map((condition) => `platform.${condition}` as const),
];

/** Which channels hear of an event. */
export interface Audience {
  readonly event: ChannelEvent;
  /** The `min_severity` of the channels that hear of it. */
  readonly severities: readonly Severity[];
  /** Whether a channel of the platform gets it without asking: a thousand resets at once are no news to operators. */
  readonly isDefault: boolean;
}

export function severityOf(eventType: AlertEventType): Severity {
  return OF_EVENT[eventType];
}

export function audienceOf(eventType: AlertEventType): Audience {
  return { event: eventType, severities: upTo(severityOf(eventType)), isDefault: eventType !== "budget_reset" };
}

export function audienceOfCondition(condition: Condition): Audience {
  return { event: `platform.${condition}`, severities: upTo(OF_CONDITION[condition]), isDefault: true };
}

function upTo(severity: Severity): Severity[] {
  return SEVERITIES.slice(0, SEVERITIES.indexOf(severity) + 1);
}
