// Whose a report is: by the group that LiteLLM speaks of, and by nothing else in it.

import { describe, expect, it } from "vitest";
import { referencesOf } from "../../src/flows/attribute-spend.ts";
import { aWebhook, someCalls } from "../support/spend-messages.ts";

const KEY = "a".repeat(64);
const key = { kind: "key", id: KEY };
const team = { kind: "team", id: "red" };
const names = { key_hash: KEY, team_id: "red", user_id: "acme" };

describe("a webhook leads to", () => {
  it.each([
    ["a key, then its team", "key", names, [key, team]],
    ["the team of a key that it does not name", "key", { ...names, key_hash: null }, [team]],
    ["a team, and not the key beside it", "team", names, [team]],
    ["the tenant that a user is called after", "user", names, [{ kind: "tenant", id: "acme" }]],
    ["nobody by a user without a name", "user", { ...names, user_id: null }, []],
    ["nobody by a group that is no tenant's", "organization", names, []],
  ])("%s", (_, group, differences, expected) => {
    expect(referencesOf(aWebhook(KEY, "1", { event_group: group, ...differences }) as never)).toEqual(expected);
  });

  it("the key that paid, when it tells of one call of an end user", () => {
    const report = aWebhook(KEY, "1", { event: "spend_tracked", event_group: "end_user", team_id: "red" });
    expect(referencesOf(report as never)).toEqual([key, team]);
  });
});

it("calls lead to their key, then to its team", () => {
  expect(referencesOf(someCalls(KEY, "1", { team_id: "red" }) as never)).toEqual([key, team]);
  expect(referencesOf(someCalls(KEY, "1") as never)).toEqual([key]);
});
