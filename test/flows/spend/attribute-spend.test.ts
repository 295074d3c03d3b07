// Resolving a report to a tenant: by LiteLLM's event group, and by nothing else in it.

import { describe, expect, it } from "vitest";
import type { OtherKey, Subject } from "../../../src/budget/tenant.ts";
import { attributeWebhook, isCallerOf, type Report, referencesOf } from "../../../src/flows/spend/attribute-spend.ts";
import type { SpendMessage } from "../../../src/ports/messages.ts";
import { NOW, usd } from "../../budget/builders.ts";
import { hashOf, incomingOf } from "../../support/builders/builders.ts";
import { aCall, aWebhook } from "../../support/builders/spend-messages.ts";

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
  expect(referencesOf(reportOf(aCall(KEY, "1", { teamId: "red" })))).toEqual([key, team]);
  expect(referencesOf(reportOf(aCall(KEY, "1")))).toEqual([key]);
  expect(referencesOf(reportOf(aCall(KEY, null, { teamId: "red" })))).toEqual([key, team]);
});

it("adds a call to the spend of its key and of its team, and of nobody else", () => {
  const caller = { key_hash: KEY, team_id: "red" };
  const subjects = [KEY, hashOf("b")].map((id) => ({ kind: "key", id }) as const);
  const isCaller = (subject: Subject, otherKeys: OtherKey[] = []) => isCallerOf({ subject, otherKeys }, caller);
  expect(subjects.map((subject) => isCaller(subject))).toEqual([true, false]);
  const older: OtherKey = { hash: hashOf("a"), createdAt: NOW, endsAt: NOW };
  expect(isCaller({ kind: "key", id: hashOf("b") }, [older])).toBe(true);
  const teams = ["red", "blue", KEY].map((id) => ({ kind: "team", id }) as const);
  expect(teams.map((subject) => isCaller(subject))).toEqual([true, false, false]);
});

describe("attribution of a webhook to a tenant's key", () => {
  const own = { kind: "key", id: KEY } as const;
  const attributed = (message: SpendMessage) =>
    attributeWebhook(reportOf(message) as Report & { kind: "webhook" }, own);
  const hint = (announcedNanoUsd: bigint | null = null) => ({
    hint: { at: NOW, announcedNanoUsd, signedAt: null },
    repeat: null,
  });

  it.each([
    ["gives a hint for a webhook about its team", aWebhook(KEY, "5", { event_group: "team", team_id: "red" }), null],
    ["gives a hint for the cost of one call", aWebhook(KEY, "5", { event: "spend_tracked" }), null],
    ["gives a hint of unsigned spend", aWebhook(KEY, "5", { event: "threshold_crossed", auth: "url_token" }), usd("5")],
  ])("%s", (_, report, announced) => {
    expect(attributed(report)).toEqual(hint(announced));
  });

  it("gives a hint and a repeated alert for an unsigned webhook", () => {
    const repeated = (event: string) => attributed(aWebhook(KEY, "5", { event, auth: "url_token" })).repeat;
    expect(repeated("soft_budget_crossed")).toEqual({ about: "alert_threshold", receivedAt: NOW });
    expect(repeated("budget_crossed")).toEqual({ about: "block", receivedAt: NOW });
  });

  it("gives a hint with a verified time only for a signature that covers the time", () => {
    const signedAtOf = (webhook: Parameters<typeof aWebhook>[2]) => attributed(aWebhook(KEY, "7", webhook)).hint;
    const standard = { webhook_id: "msg_1", sent_at: NOW - 1 };
    expect(signedAtOf(standard)).toEqual({ at: NOW, announcedNanoUsd: usd("7"), signedAt: NOW - 1 });
    expect(signedAtOf({ ...standard, sent_at: NOW + 9 })).toMatchObject({ signedAt: NOW });
    expect(signedAtOf({ ...standard, webhook_id: null })).toMatchObject({ signedAt: null });
    expect(signedAtOf({ ...standard, auth: "url_token" })).toMatchObject({ signedAt: null });
  });

  it("gives the announced spend to a team tenant from a webhook about the team", () => {
    const report = reportOf(aWebhook(KEY, "7", { event_group: "team", team_id: "red" })) as Report & {
      kind: "webhook";
    };
    expect(attributeWebhook(report, { kind: "team", id: "red" }).hint).toMatchObject({ announcedNanoUsd: usd("7") });
    expect(attributeWebhook(report, { kind: "team", id: "blue" })).toEqual(hint());
  });

  it("gives LiteLLM's projection as a hint and no repeated alert, however it is authenticated", () => {
    const projected = aWebhook(KEY, "7", { event: "projected_limit_exceeded" });
    expect(attributed(projected)).toMatchObject({ repeat: null, hint: { announcedNanoUsd: usd("7") } });
    expect(attributed({ ...projected, auth: "url_token" })).toMatchObject({ repeat: null });
  });
});
