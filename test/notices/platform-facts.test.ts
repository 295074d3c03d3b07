// What a notice about the platform names, so that an operator knows where to look.

import { expect, it } from "vitest";
import { aPlatformNotice } from "../../dev/notices/samples.ts";
import type { AlertDetail } from "../../src/budget/alert.ts";
import type { PlatformAlertKind } from "../../src/budget/delivery/severity.ts";
import { emailMessage } from "../../src/notices/email/email.ts";
import { slackMessage } from "../../src/notices/providers/slack.ts";

const since = "2026-11-15T10:30:00.000Z";

it.each<[PlatformAlertKind, AlertDetail, string, string[]]>([
  [
    "dead_letter",
    { dead_letters: 3, queue: "bursar-notices", error: "status 503" },
    "A queue message failed every attempt",
    ["Dead letters: 3", "Queue: bursar-notices", "Error: status 503"],
  ],
  [
    "subject_missing",
    { tenants: 2, tenant_id: "acme", since },
    "LiteLLM does not have a tenant's key or team",
    ["Tenants: 2", "Missing longest: acme", "Since: 15 November 2026, 10:30 UTC"],
  ],
  [
    "tenants_unread",
    { tenants: 2, tenant_ids: "acme, globex", since },
    "Some tenants' spend has not been read for an hour",
    ["Tenants: 2", "Longest unread: acme, globex", "Since: 15 November 2026, 10:30 UTC"],
  ],
  [
    "spend_fell",
    { tenant_id: "acme", spend_before: "552", spend_after: "12.5" },
    "A tenant's spend fell within its period",
    ["Tenant: acme", "Spend before: $552.00", "Spend now: $12.50"],
  ],
  [
    "channel_broken",
    { channel: "finance", tenant_id: "acme", error: "status 404, no_service" },
    "A channel's provider refuses its notices",
    ["Tenant: acme", "Channel: finance", "Error: status 404, no_service"],
  ],
  [
    "mark_copied",
    { tenant_id: "acme", key_hash: "9e12ba1c" },
    "A key in LiteLLM has the mark of another key's tenant",
    ["Tenant: acme", "Key: 9e12ba1c"],
  ],
])("names what %s is about, in Slack and by e-mail", (kind, detail, sentence, facts) => {
  const notice = aPlatformNotice(kind, detail);
  const text = emailMessage(notice).text.replace(/ {2,}/g, " ");
  const slack = slackMessage(notice);
  expect(text).toContain(`PLATFORM: ${sentence}.`);
  expect(slack.text).toContain(sentence);
  for (const fact of [...facts, "First seen: 15 November 2026, 11:50 UTC"]) {
    expect(text).toContain(fact);
    expect(JSON.stringify(slack.blocks)).toContain(fact);
  }
});
