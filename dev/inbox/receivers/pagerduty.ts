// PagerDuty's Events API v2, with its checks and its answers. Opens no incident.

import { isObject, objectOf, textOf } from "../untrusted-json.ts";
import type { Receiver, Reply } from "./receiver.ts";

const MAX_SUMMARY = 1_024;
const MAX_DEDUP_KEY = 255;
const ROUTING_KEY = /^[A-Za-z0-9]{32}$/;
const ACTIONS = ["trigger", "acknowledge", "resolve"];
const SEVERITIES = ["critical", "error", "warning", "info"];

export const pagerDutyEndpoint: Receiver = {
  kind: "pagerduty",
  via: "pagerduty",
  receive({ body }): Reply {
    const problems = isObject(body) ? problemsOf(body) : ["the body is not a JSON object"];
    if (problems.length > 0) {
      const answer = { status: "invalid event", message: "Event object is invalid", errors: problems };
      return { status: 400, body: answer, problems };
    }
    const answer = { status: "success", message: "Event processed", dedup_key: objectOf(body)["dedup_key"] };
    return { status: 202, body: answer, problems };
  },
  fail: ({ status }) => ({ status, body: { status: "throttle exceeded", message: "Simulated failure." } }),
  summarize(body) {
    const { event_action: action, payload } = objectOf(body);
    return `${textOf(action)}: ${textOf(objectOf(payload)["summary"])}`;
  },
};

function problemsOf(event: Readonly<Record<string, unknown>>): string[] {
  const { routing_key: routingKey, event_action: action, dedup_key: dedupKey, payload } = event;
  const { summary, source, severity } = objectOf(payload);
  const length = textOf(summary).length;
  return [
    ...(ROUTING_KEY.test(textOf(routingKey)) ? [] : ["'routing_key' is missing or invalid"]),
    ...(ACTIONS.includes(textOf(action)) ? [] : ["'event_action' is invalid"]),
    ...(textOf(dedupKey).length > MAX_DEDUP_KEY ? ["'dedup_key' is too long"] : []),
    ...(action === "resolve" && textOf(dedupKey) === "" ? ["'dedup_key' is missing"] : []),
    ...(length > 0 && length <= MAX_SUMMARY ? [] : ["'payload.summary' is missing or too long"]),
    ...(textOf(source) === "" ? ["'payload.source' is missing or blank"] : []),
    ...(SEVERITIES.includes(textOf(severity)) ? [] : ["'payload.severity' is invalid"]),
  ];
}
