// Resolving a report to a tenant: by LiteLLM's event group, and by nothing else in it.

import { describe, expect, it } from "vitest";
import { attributionOf, type Report, referencesOf } from "../../../src/flows/spend/attribute-spend.ts";
import type { SpendMessage } from "../../../src/ports/messages.ts";
import { NOW, usd } from "../../budget/builders.ts";
import { hashOf, incomingOf } from "../../support/builders/builders.ts";
import { aWebhook, someCalls } from "../../support/builders/spend-messages.ts";

const KEY = hashOf("a");
const key = { kind: "key", id: KEY };
const team = { kind: "team", id: "red" };
/** As its consumer reads it. */
const reportOf = (message: SpendMessage) => incomingOf(message).body as Report;
const names = { key_hash: KEY, team_id: "red", user_id: "acme" };

describe("a webhook's references", () => {
  it.each([
    ["a key, then its team", "key", names, [key, team]],
    ["the team of a key that it does not name", "key", { ...names, key_hash: null }, [team]],
    ["a team, and not the key beside it", "team", names, [team]],
    ["the tenant whose id the user has", "user", names, [{ kind: "tenant", id: "acme" }]],
    ["no tenant by a user without a name", "user", { ...names, user_id: null }, []],
    ["no tenant by a group without tenants", "organization", names, []],
  ])("%s", (_, group, differences, expected) => {
    expect(referencesOf(reportOf(aWebhook(KEY, "1", { event_group: group, ...differences })))).toEqual(expected);
  });

  it("names the key that paid when a webhook reports one call of an end user", () => {
    const report = aWebhook(KEY, "1", { event: "spend_tracked", event_group: "end_user", team_id: "red" });
    expect(referencesOf(reportOf(report))).toEqual([key, team]);
  });
});

it("names the key of a call, then its team", () => {
  expect(referencesOf(reportOf(someCalls(KEY, "1", { team_id: "red" })))).toEqual([key, team]);
  expect(referencesOf(reportOf(someCalls(KEY, "1")))).toEqual([key]);
});

describe("attribution to a tenant's key", () => {
  const own = { kind: "key", id: KEY } as const;
  const hint = { observation: null, isHint: true, repeat: null, projection: null };

  it.each([
    ["gives a hint for calls without spend", someCalls(KEY, null)],
    ["gives a hint for calls of another key of its team", someCalls(hashOf("b"), "5")],
    ["gives a hint for a webhook about its team", aWebhook(KEY, "5", { event_group: "team", team_id: "red" })],
    ["gives a hint for the cost of one call", aWebhook(KEY, "5", { event: "spend_tracked" })],
    ["gives a hint for unsigned spend", aWebhook(KEY, "5", { event: "threshold_crossed", auth: "url_token" })],
  ])("%s", (_, report) => {
    expect(attributionOf(reportOf(report), own)).toEqual(hint);
  });

  it("gives a hint and a repeated alert for an unsigned webhook", () => {
    const repeated = (event: string) =>
      attributionOf(reportOf(aWebhook(KEY, "5", { event, auth: "url_token" })), own).repeat;
    expect(repeated("soft_budget_crossed")).toEqual({ about: "alert_threshold", receivedAt: NOW });
    expect(repeated("budget_crossed")).toEqual({ about: "block", receivedAt: NOW });
  });

  it("gives a lower bound for calls and for signed webhooks", () => {
    const calls = attributionOf(reportOf(someCalls(KEY, "5")), own);
    expect(calls).toMatchObject({
      observation: { spendNanoUsd: usd("5"), source: "events", begunAt: NOW },
      isHint: false,
    });
    const webhook = attributionOf(reportOf(aWebhook(KEY, "7")), own);
    expect(webhook).toMatchObject({
      observation: { spendNanoUsd: usd("7"), source: "webhook" },
      repeat: { receivedAt: NOW },
    });
  });

  it("gives a lower bound for a team tenant from a signed webhook about the team", () => {
    const report = reportOf(aWebhook(KEY, "7", { event_group: "team", team_id: "red" }));
    expect(attributionOf(report, { kind: "team", id: "red" })).toMatchObject({
      observation: { spendNanoUsd: usd("7") },
    });
    expect(attributionOf(report, { kind: "team", id: "blue" })).toEqual(hint);
  });

  it("gives a projection without a repeated alert", () => {
    const event = { event: "projected_limit_exceeded", projected_exceeded_date: "2026-11-28" };
    const { projection, repeat } = attributionOf(reportOf(aWebhook(KEY, "7", event)), own);
    expect([projection, repeat]).toEqual([
      { projectedSpendNanoUsd: null, exceededDate: "2026-11-28", receivedAt: NOW },
      null,
    ]);
  });
});
