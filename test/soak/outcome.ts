// The outcome of a run as text that is equal for two runs with the same result: without random ids, and without the
// amounts and instants at which alerts were detected. Reads only.

import type { Inbox } from "../../dev/inbox/start.ts";
import { postgresDeliveries } from "../../src/adapters/postgres/notices/deliveries.ts";
import { slackMessage } from "../../src/notices/providers/slack.ts";
import type { DeliveryKey } from "../../src/records/delivery.ts";
import type { TenantDatabase } from "../support/servers/tenant-database.ts";
import type { SoakChannel } from "./channels.ts";

export interface Outcome {
  /** `identity`, and whether it is silent. */
  readonly alerts: readonly string[];
  /** `identity to channel: status`. */
  readonly deliveries: readonly string[];
  /** `identity to channel`, once per notice that is left after the receiver drops the duplicates it can recognise. */
  readonly notices: readonly string[];
  readonly spends: readonly object[];
  readonly deadLetters: number;
}

interface Delivery {
  readonly alert_id: string;
  readonly channel_id: string;
  readonly identity: string;
  readonly status: string;
}

const ALERTS = "select identity || case when silent then ' silent' else '' end as text from budget_alert_history";

const DELIVERIES = `select d.alert_id, d.channel_id, a.identity, d.status
  from notice_deliveries d join budget_alert_history a on a.id = d.alert_id`;

const SPENDS = `select tenant_id, spend, period_started_at, resets_at, alerts_version, alerts_period_started_at
  from tenant_spend order by tenant_id`;

export async function outcomeOf(db: TenantDatabase, inbox: Inbox, channels: readonly SoakChannel[]): Promise<Outcome> {
  const nameOf = new Map(channels.map(({ id, name }) => [id, name]));
  const deliveries = await db.query<Delivery>(DELIVERIES);
  const wordsOf = ({ identity, channel_id: id }: Delivery) => `${identity} to ${nameOf.get(id)}`;
  const known = new Map<string, string>();
  for (const each of deliveries) {
    for (const mark of await marksOf(db, each, channels)) known.set(mark, wordsOf(each));
  }
  return {
    alerts: (await db.query<{ text: string }>(ALERTS)).map(({ text }) => text).sort(),
    deliveries: deliveries.map((each) => `${wordsOf(each)}: ${each.status}`).sort(),
    notices: received(inbox)
      .map((mark) => known.get(mark) ?? `nothing that was to be sent: ${mark}`)
      .sort(),
    spends: await db.query(SPENDS),
    deadLetters: (await db.query("select from dead_letters")).length,
  };
}

/** The identity of a received notice: the text for Slack, the id for other channels. */
async function marksOf(db: TenantDatabase, delivery: Delivery, channels: readonly SoakChannel[]): Promise<string[]> {
  const { alert_id: alertId, channel_id: channelId } = delivery;
  const channel = channels.find(({ id }) => id === channelId);
  if (channel?.kind !== "slack") return [`${channel?.name} notice_${alertId}_${channelId}`];
  const [dispatch] = await postgresDeliveries(db.database).load([{ alertId, channelId } as DeliveryKey]);
  return dispatch === undefined ? [] : [`${channel.name} ${JSON.stringify(slackMessage(dispatch))}`];
}

/** Resend keeps the first e-mail of an idempotency key; the webhook receiver keeps the first event of an id. */
function received(inbox: Inbox): string[] {
  const accepted = inbox.messages({ accepted: true });
  const slack = accepted
    .filter(({ kind }) => kind === "slack")
    .map(({ path, body }) => `${nameIn(path)} ${JSON.stringify(body)}`);
  const emails = accepted
    .filter(({ kind }) => kind === "email")
    .map(
      ({ body, headers }) => `${String((body as { to: string[] }).to[0]).split("@")[0]} ${headers["idempotency-key"]}`,
    );
  const events = accepted
    .filter(({ kind, signature }) => kind === "webhook" && signature === "valid")
    .map(({ path, headers }) => `${nameIn(path)} ${headers["webhook-id"]}`);
  return [...slack, ...emails, ...new Set(events)];
}

const nameIn = (path: string) => path.split("/").at(-1);
