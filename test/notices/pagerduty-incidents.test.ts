// Which alerts of the platform share an incident of PagerDuty.

import { expect, it } from "vitest";
import { aPlatformNotice } from "../../dev/notices/samples.ts";
import { pagerDutyEvent } from "../../src/notices/providers/pagerduty.ts";
import type { AlertId } from "../../src/records/alert.ts";

it.each(["channel_broken", "budgets_reset"] as const)("gives each alert of %s an incident of its own", (kind) => {
  const { platformAlert } = aPlatformNotice(kind, {});
  const other = { platformAlert: { ...platformAlert, id: "another" as AlertId } };
  const keys = [{ platformAlert }, other].map((notice) => pagerDutyEvent(notice, null).dedup_key);
  expect(keys).toEqual([`bursar/platform/${kind}/${platformAlert.id}`, `bursar/platform/${kind}/another`]);
});
