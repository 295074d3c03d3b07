// The budget alerts that a check or a call triggers, with LiteLLM's levels and payload.
// Must never send or remember anything. The alert webhook decides whether to send an alert.

import type { CallAuthorized, CallFinished } from "../calls/call-events.ts";
import type { Body } from "../dict.ts";
import type { Behaviour } from "../profiles.ts";
import { floatText } from "../python-text.ts";
import { WEBHOOK, withAdded } from "../state/added-fields.ts";
import type { KeyView } from "../state/memory.ts";

/** From this share of the budget on, a check of a key triggers a second alert of the same level. */
const SECOND_ALERT_FROM = 0.8;

/** The fields in LiteLLM's order. LiteLLM always sends all of them. */
export interface WebhookEvent {
  spend: number;
  max_budget: number | null;
  soft_budget: number | null;
  token: string | null;
  customer_id: string | null;
  user_id: string | null;
  team_id: string | null;
  team_alias: string | null;
  organization_id: string | null;
  user_email: string | null;
  key_alias: string | null;
  projected_exceeded_date: string | null;
  projected_spend: number | null;
  event_group: "key" | "team" | "end_user";
  alert_emails: string[] | null;
  event: "budget_crossed" | "soft_budget_crossed" | "threshold_crossed" | "projected_limit_exceeded" | "spend_tracked";
  event_message: string;
}

export interface Alert {
  /** The key, team or end user of the event. LiteLLM deduplicates alerts by subject and event name. */
  subject: string;
  event: WebhookEvent;
}

type Amounts = Pick<WebhookEvent, "spend" | "event_group"> & Partial<WebhookEvent>;

/**
 * The alerts of one check, in LiteLLM's order. All alerts of a key carry the same event, and LiteLLM sends them
 * concurrently: none waits for another, so more than one can pass the deduplication.
 */
export function alertsOfCheck({ key, team, refusal, isFree }: CallAuthorized): Alert[] {
  if (isFree) return [];
  const { spend, maxBudget, softBudget } = key;
  const ofKey = { ...keyAmounts(key), spend, max_budget: maxBudget, soft_budget: softBudget };
  const alerts: (Alert | null)[] = [];
  if (maxBudget !== null) {
    alerts.push(alert("Key Budget: ", key.hash, ofKey));
    if (spend >= maxBudget * SECOND_ALERT_FROM && spend < maxBudget)
      alerts.push(alert("Key Budget: ", key.hash, ofKey));
  }
  if (refusal !== "key_budget" && softBudget !== null && spend >= softBudget) {
    alerts.push(alert("Soft Budget Crossed: ", key.hash, { ...ofKey, team_alias: team?.alias ?? null }));
  }
  if (refusal === "team_budget" && team !== null && !team.blocked) {
    const ofTeam = { spend: team.spend, max_budget: team.maxBudget, team_id: team.id, team_alias: team.alias };
    const group = { token: key.hash, user_id: key.userId, event_group: "team" as const };
    alerts.push(alert("Team Budget: ", team.id, { ...ofTeam, ...group }));
  }
  return alerts.filter((one) => one !== null);
}

/** The alert for a finished call whose key is projected to exceed its soft budget by the end of the month. */
export function projectionOf({ key, cost }: CallFinished, now: number, behaviour: Behaviour): Alert | null {
  const { softBudget, maxBudget } = key;
  const spend = key.spend + cost;
  if (softBudget === null) return null;
  const { dailySpend, projected } = projection(spend, now);
  if (projected <= softBudget) return null;
  const isSoft = behaviour.projectsSoftBudget;
  const days = Math.floor((isSoft ? Math.max(0, softBudget - spend) : softBudget) / dailySpend);
  const exceeded = new Date(now + days * 86_400_000).toISOString().slice(0, 10);
  const ofKey = isSoft ? { ...keyAmounts(key), team_id: null } : keyAmounts(key);
  const amounts = { ...ofKey, spend, max_budget: isSoft ? softBudget : maxBudget };
  const projections = { projected_exceeded_date: exceeded, projected_spend: projected };
  return alert("Key Budget: Projected Limit Exceeded", key.hash, { ...amounts, ...projections }, true);
}

/** The event as a version sends it: 1.83 added a field, 1.103 changed the words of the thresholds. */
export function eventOnWire(event: WebhookEvent, behaviour: Behaviour): Body {
  const { event_message: message } = event;
  const words = message
    .replace("5% Threshold Crossed ", "5% or less of budget remaining")
    .replace("15% Threshold Crossed", "15% or less of budget remaining");
  const event_message = behaviour.release >= 103 ? words : message;
  return withAdded({ ...event, event_message }, WEBHOOK, behaviour);
}

/** The event for each call that names an end user. Its spend is the cost of this call alone. */
export function spendTracked({ key, cost, call }: CallFinished): Alert | null {
  const { endUser } = call;
  if (endUser === null) return null;
  const event_message = `Customer spend tracked. Customer=${endUser}, spend=${floatText(cost)}`;
  const amounts = { spend: cost, token: key.hash, customer_id: endUser, key_alias: key.alias };
  return { subject: endUser, event: filled({ ...amounts, event_group: "end_user" }, "spend_tracked", event_message) };
}

/** The alert that `GET /health/services?service=webhook` sends: a crossed budget with made-up amounts. */
export function testAlert(adminHash: string, adminUser: string): Alert {
  const event_message = "User Budget: Budget Crossed\n Total Budget:`0.0`";
  const amounts = { spend: 1, max_budget: 0, token: adminHash, user_id: adminUser };
  return { subject: adminUser, event: filled({ ...amounts, event_group: "key" }, "budget_crossed", event_message) };
}

/**
 * A reached soft budget replaces a projection's event, and a reached level of max_budget replaces both.
 * Null: no level is reached.
 */
function alert(opening: string, subject: string, amounts: Amounts, isProjection = false): Alert | null {
  const { spend, soft_budget: soft = null, max_budget: max = null } = amounts;
  let event: WebhookEvent["event"] | null = isProjection ? "projected_limit_exceeded" : null;
  let message = opening;
  if (soft !== null && spend >= soft) {
    event = "soft_budget_crossed";
    message += `Total Soft Budget:\`${floatText(soft)}\``;
  }
  if (max !== null) {
    const left = max > 0 ? (max - spend) / max : 0;
    if (spend >= max) {
      event = "budget_crossed";
      message += `Budget Crossed\n Total Budget:\`${floatText(max)}\``;
    } else if (left <= 0.15) {
      event = "threshold_crossed";
      message += left <= 0.05 ? "5% Threshold Crossed " : "15% Threshold Crossed";
    }
  }
  return event === null ? null : { subject, event: filled(amounts, event, message) };
}

function keyAmounts(key: KeyView) {
  const { hash: token, userId: user_id, teamId: team_id, alias: key_alias } = key;
  return { token, user_id, team_id, key_alias, event_group: "key" as const };
}

function filled(amounts: Amounts, event: WebhookEvent["event"], event_message: string): WebhookEvent {
  return {
    spend: amounts.spend,
    max_budget: amounts.max_budget ?? null,
    soft_budget: amounts.soft_budget ?? null,
    token: amounts.token ?? null,
    customer_id: amounts.customer_id ?? null,
    user_id: amounts.user_id ?? null,
    team_id: amounts.team_id ?? null,
    team_alias: amounts.team_alias ?? null,
    organization_id: null,
    user_email: null,
    key_alias: amounts.key_alias ?? null,
    projected_exceeded_date: amounts.projected_exceeded_date ?? null,
    projected_spend: amounts.projected_spend ?? null,
    event_group: amounts.event_group,
    alert_emails: null,
    event,
    event_message,
  };
}

/** Extrapolates the average spend per day before today to the rest of the month (UTC). */
function projection(spend: number, now: number): { dailySpend: number; projected: number } {
  const today = new Date(now);
  const day = today.getUTCDate();
  const lastDay = new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() + 1, 0)).getUTCDate();
  const dailySpend = spend / Math.max(1, day - 1);
  return { dailySpend, projected: spend + dailySpend * (lastDay - day) };
}
