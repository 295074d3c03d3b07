// The digest of many resets, and the alert that a channel is broken, as they are shown.

import { expect, it } from "vitest";
import { aPlatformNotice } from "../../dev/notices/samples.ts";
import { eventBody } from "../../src/notices/event.ts";
import { slackMessage } from "../../src/notices/providers/slack.ts";

const digest = (detail: Record<string, string | number | null>) => aPlatformNotice("budgets_reset", detail);

it.each([
  [{ tenants: 1_000, names: "Acme, Globex" }, "1,000 budgets were reset"],
  [{ tenants: 1, names: "Acme" }, "1 budget was reset"],
  [{ names: null }, "Budgets were reset"],
])("sums up how many budgets were reset: %j", (detail, headline) => {
  expect(slackMessage(digest(detail)).text).toContain(headline);
});

it("has the number of budgets in its sentence only", () => {
  const { blocks } = slackMessage(digest({ tenants: 1_000, names: "Acme" }));
  expect(JSON.stringify(blocks).match(/1,?000/g)).toEqual(["1,000"]);
});

it("names a few of the tenants", () => {
  expect(JSON.stringify(slackMessage(digest({ tenants: 2, names: "Acme, Globex" })))).toContain("Acme, Globex");
});

it("names the broken channel and its provider's error", () => {
  const notice = aPlatformNotice("channel_broken", { channel: "ops", error: "status 404, no_service" });
  expect(JSON.stringify(slackMessage(notice))).toMatch(/ops.*status 404, no_service/);
  expect(JSON.parse(eventBody(notice))).toMatchObject({ type: "platform.channel_broken" });
});
