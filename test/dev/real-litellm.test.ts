// The query engine that real LiteLLM proxies use, and the choice of versions. `npm run test:litellm` runs the proxies.

import { expect, it } from "vitest";
import { profileOf } from "../../dev/litellm/profiles.ts";
import { clientAnswer } from "../../dev/real-litellm/engine/answers.ts";
import { engineQuery } from "../../dev/real-litellm/engine/graphql.ts";
import { modelsIn, withTaggedJson } from "../../dev/real-litellm/engine/json-fields.ts";
import { ALL_VERSIONS, checkVersion, requirementsOf } from "../../dev/real-litellm/versions.ts";

it("translates a query with nested arguments, a filter and a selection", () => {
  const text = `query { result: findManyKey(take: 2, where: { spend: { gt: 1.5 }, OR: [{ a: null }, { b: true }] })
    { token team(where: { id: "x\\"y" }) { id } } }`;
  expect(engineQuery(text)).toEqual({
    modelName: "Key",
    action: "findMany",
    query: {
      arguments: { take: 2, where: { spend: { gt: 1.5 }, OR: [{ a: null }, { b: true }] } },
      selection: { token: true, team: { arguments: { where: { id: 'x"y' } }, selection: { id: true } } },
    },
  });
});

it.each([
  ["findUniqueLiteLLM_KeyOrThrow", "LiteLLM_Key", "findUniqueOrThrow"],
  ["findFirstLiteLLM_Key", "LiteLLM_Key", "findFirst"],
  ["upsertOneKey", "Key", "upsertOne"],
  ["queryRaw", undefined, "queryRaw"],
])("reads the operation %s as an action on its model", (name, modelName, action) => {
  expect(engineQuery(`mutation { result: ${name} { count } }`)).toMatchObject({ action });
  expect(engineQuery(`mutation { result: ${name} { count } }`).modelName).toBe(modelName);
});

it("keeps a whole number beyond 2^53 exact in both directions", () => {
  const { query } = engineQuery("query { result: findManyKey(take: 9007199254740993) { id } }");
  expect(query.arguments["take"]).toEqual({ $type: "BigInt", value: "9007199254740993" });
  const answer = { data: { findManyKey: { n: { $type: "BigInt", value: "9007199254740993" } } } };
  expect(clientAnswer(answer)).toEqual({ data: { result: { n: "9007199254740993" } } });
});

it.each([
  "subscription { result: findManyKey { id } }",
  "query { result: dropKey { id } }",
  "query { result: §",
  "query {",
])("refuses %j, which prisma-client-py does not write", (text) => {
  expect(() => engineQuery(text)).toThrow(SyntaxError);
});

it("tags the values of JSON columns, also in nested writes and filters, and no others", () => {
  const models = modelsIn(
    "model Key {\n  name String\n  metadata Json\n  team Team?\n}\nmodel Team {\n  extra Json\n}\n",
  );
  const sent = { name: "{}", metadata: { equals: "{}", path: ["a"] }, team: { create: { extra: "[]" } } };
  expect(withTaggedJson(sent, "Key", models)).toEqual({
    name: "{}",
    metadata: { equals: { $type: "Json", value: "{}" }, path: ["a"] },
    team: { create: { extra: { $type: "Json", value: "[]" } } },
  });
});

it("names each result as prisma-client-py does, without type tags except for raw rows", () => {
  const tagged = { at: { $type: "DateTime", value: "2026-11-28T00:00:00Z" } };
  expect(clientAnswer({ data: { findFirstKey: tagged } })).toEqual({
    data: { result: { at: "2026-11-28T00:00:00Z" } },
  });
  expect(clientAnswer({ data: { queryRaw: tagged } })).toEqual({ data: { result: tagged } });
  expect(clientAnswer({ batchResult: [{ data: { deleteManyKey: { count: 1 } } }] })).toEqual({
    batchResult: [{ data: { result: { count: 1 } } }],
  });
});

it.each(["1.82.7", "1.82.8", "1.107.0"])("refuses to install the compromised release %s", (version) => {
  expect(() => checkVersion(version)).toThrow("compromised");
});

it.each(["latest", "1.110", "1.110.2 --index-url x"])("refuses %j, which is no version", (version) => {
  expect(() => checkVersion(version)).toThrow("is no version of LiteLLM");
});

it.each(ALL_VERSIONS)("pins the packages of the tested version %s", (version) => {
  expect(requirementsOf(version)).not.toBeNull();
});

it.each([
  ["1.81.9", "1.81"],
  ["1.83.14", "1.83"],
  ["1.84.0", "1.103"],
  ["1.103.11", "1.103"],
  ["1.104.9", "1.110"],
  ["1.110.2", "1.110"],
])("takes %s to behave as profile %s", (version, profile) => {
  expect(profileOf(version)).toBe(profile);
});
