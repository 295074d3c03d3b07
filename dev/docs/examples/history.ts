// Alerts with their deliveries, the audit log, and a notice that became a dead letter.

import { alertsAreDelivered, example, type Step, until, type World } from "../steps.ts";

const slackFails: Step = async ({ product }) => product.stack.inbox.fail({ kind: "slack", how: { status: 503 } });

/** After the notice's first failure, records four more failed attempts, so that its next failure is the last. */
async function slackGivesUp({ product }: World): Promise<void> {
  let failed: Record<string, unknown> | undefined;
  await until("Slack fails to take a notice", async () => {
    [failed] = await product.query(
      `update notice_deliveries set attempts = 5, next_attempt_at = now()
       where status = 'pending' and attempts = 1 returning alert_id, channel_id`,
    );
    return failed !== undefined;
  });
  await product.sendNotice({ kind: "notice", ...failed });
  await until("the notice is a dead letter", async () => (await product.query("select from dead_letters")).length > 0);
  product.stack.inbox.fail(null);
}

/** The steps for an alert whose notice to Slack becomes a dead letter. `alert`: the steps that cause the alert. */
export const undelivered = (alert: readonly Step[]): readonly Step[] => [slackFails, ...alert, slackGivesUp];

/** Must run after the two alerts of AGENTS and before any other alert. */
export const ALERTS: readonly Step[] = [
  alertsAreDelivered(2),
  example("list-alerts", 200, `curl -i "$bursar/v1/alerts?limit=1" -H "$reader"`, { cursor: "next_cursor" }),
  example("list-tenant-alerts", 200, `curl -i "$bursar/v1/tenants/acme/alerts?limit=1&cursor=$cursor" -H "$reader"`),
];

export const TRAIL: readonly Step[] = [
  example("list-audit", 200, `curl -i "$bursar/v1/audit?tenant_id=globex&limit=2" -H "$admin"`),
  example("list-dead-letters", 200, `curl -i "$bursar/v1/dead-letters?limit=1" -H "$reader"`, {
    dead_letter_id: "data.0.id",
  }),
  example("replay-dead-letter", 200, `curl -i -X POST "$bursar/v1/dead-letters/$dead_letter_id/replay" -H "$admin"`),
  example(
    "replay-dead-letter-missing",
    404,
    `curl -i -X POST "$bursar/v1/dead-letters/00000000-0000-4000-8000-000000000000/replay" -H "$admin"`,
  ),
];
