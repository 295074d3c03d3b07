// How serious an event is, who hears of it, and which alert replaces which.

import { expect, it } from "vitest";
import { ALERT_EVENT_TYPES } from "../../src/budget/alert.ts";
import { audienceOf, audienceOfCondition, CHANNEL_EVENTS, severityOf } from "../../src/budget/delivery/severity.ts";
import { SUPERSEDINGS } from "../../src/budget/delivery/superseding.ts";
import { digestAt } from "../../src/budget/schedules/digest.ts";
import { MINUTE, NOW } from "./builders.ts";

const HOUR = 60 * MINUTE;

it.each([
  ["budget_blocked", "budget_resolved"],
  ["tenant_suspended", "tenant_resumed"],
  ["override_granted", "override_ended"],
] as const)("tells the end of %s to whoever hears of it", (begins, ends) => {
  expect(audienceOf(ends).severities).toEqual(audienceOf(begins).severities);
});

it("tells an event to the channels that ask for its severity or for less", () => {
  expect(audienceOf("budget_blocked").severities).toEqual(["info", "warning", "critical"]);
  expect(audienceOf("threshold_crossed").severities).toEqual(["info", "warning"]);
  expect(audienceOf("override_granted").severities).toEqual(["info"]);
  expect(audienceOfCondition("litellm_out")).toEqual({
    events: ["platform.litellm_out"],
    severities: ["info", "warning", "critical"],
    isPlatformDefault: true,
  });
});

it("tells the platform of every event but a reset unless it asks", () => {
  const unasked = ALERT_EVENT_TYPES.filter((eventType) => !audienceOf(eventType).isPlatformDefault);
  expect(unasked).toEqual(["budget_reset"]);
});

it("lets a channel ask for every condition and every alert that sends notices", () => {
  const noticed = ALERT_EVENT_TYPES.filter((eventType) => eventType !== "projected_limit_exceeded");
  expect(CHANNEL_EVENTS.filter((event) => !event.startsWith("platform."))).toEqual(noticed);
  expect(CHANNEL_EVENTS).toContain("platform.channel_broken");
  expect(severityOf("budget_crossed")).toBe("critical");
});

it("ends a block by a newer block or its resolution only", () => {
  const newer = SUPERSEDINGS.filter(({ older }) => older === "budget_blocked").map((pair) => pair.newer);
  expect(newer).toEqual(["budget_blocked", "budget_resolved"]);
});

it("has a digest at the end of the hour", () => {
  const hour = Math.floor(NOW / HOUR) * HOUR;
  expect([digestAt(hour), digestAt(hour + 1), digestAt(hour + HOUR - 1)]).toEqual(Array(3).fill(hour + HOUR));
});
