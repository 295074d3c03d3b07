// The exact words for each kind of mistake: field-errors.test.ts shows that no field has other ones.

import { expect, it } from "vitest";
import * as z from "zod";
import { fieldErrors, IN_OUR_WORDS } from "../../../src/http/request/field-errors.ts";

const wordsOf = (schema: z.ZodType, value: unknown) => {
  const parsed = schema.safeParse(value, IN_OUR_WORDS);
  return parsed.success ? [] : fieldErrors(parsed.error, schema, value);
};

it.each<[string, z.ZodType, unknown, string]>([
  ["a text", z.string(), 7, "must be a string"],
  ["a number", z.number(), "7", "must be a number"],
  ["a whole number", z.int(), 1.5, "must be a whole number"],
  ["a boolean", z.boolean(), "true", "must be true or false"],
  ["a list", z.array(z.string()), "x", "must be an array"],
  ["an object", z.object({}), "x", "must be a JSON object"],
  ["a record", z.record(z.string(), z.string()), 7, "must be a JSON object"],
  ["an enum", z.enum(["open", "closed", "both"]), "x", "must be open, closed or both"],
  ["an enum of one", z.enum(["open"]), "x", "must be open"],
  ["a literal", z.literal(7), 8, "must be 7"],
  ["a small number", z.number().min(1), 0, "must be at least 1"],
  ["a large number", z.number().max(9), 10, "must be at most 9"],
  ["a text that is too short", z.string().min(2), "x", "must have at least 2 characters"],
  ["an empty text", z.string().min(1), "", "must have at least 1 character"],
  ["a text that is too long", z.string().max(2), "xyz", "must have at most 2 characters"],
  ["an empty list", z.array(z.string()).min(1), [], "must have at least 1 entry"],
  ["a list that is too long", z.array(z.string()).max(2), ["a", "b", "c"], "must have at most 2 entries"],
  ["a union", z.union([z.string(), z.number()]), true, "has the wrong type"],
  ["a key", z.record(z.string().max(1), z.string()), { xy: "z" }, "has a key or entry that is not allowed"],
  ["a format", z.string().regex(/^a$/), "b", "has the wrong format"],
  ["a rule of its own", z.string().refine(() => false, "must be even"), "b", "must be even"],
])("says of %s what it must be", (_, field, value, message) => {
  const [error] = wordsOf(z.strictObject({ field }), { field: value });
  expect(error?.message).toBe(message);
});

it("keeps the words of a rule about several fields where one of them is missing", () => {
  const schema = z
    .strictObject({ duration: z.string().optional(), expires_at: z.string().optional() })
    .refine((body) => body.duration !== undefined, {
      path: ["expires_at"],
      message: "must be sent if duration is not",
    });
  expect(wordsOf(schema, {})).toEqual([{ field: "expires_at", message: "must be sent if duration is not" }]);
});

it("names the kinds of a union, where the kind is none of them", () => {
  const kind = (name: string) => z.strictObject({ kind: z.literal(name), [name]: z.string() });
  const schema = z.discriminatedUnion("kind", [kind("slack"), kind("email")]);
  expect(wordsOf(schema, { kind: "fax" })).toEqual([{ field: "kind", message: "must be slack or email" }]);
  // Of the kind that was sent, and not of the others.
  expect(wordsOf(schema, { kind: "slack", slack: "x", slak: 1, emai: 1 })).toEqual([
    { field: "slak", message: "unknown field; did you mean slack?" },
    { field: "emai", message: "unknown field" },
  ]);
});

it.each<[unknown, string]>([
  [null, "null"],
  [[], "an array"],
  ["x", "a string"],
  [7, "a number"],
  [true, "true or false"],
])("says what was sent in the place of an object: %j", (value, kind) => {
  const message = `The body must be a JSON object, not ${kind}`;
  expect(wordsOf(z.strictObject({ name: z.string() }), value)).toEqual([{ field: "", message }]);
});

it.each([
  ["max_budgt", "max_budget"],
  ["MAX_BUDGET", "max_budget"],
  ["max_bugdet", "max_budget"],
  ["maximum", undefined],
  ["nam", "name"],
  ["nm", undefined],
])("suggests for %s the field %s", (sent, meant) => {
  const schema = z.strictObject({ max_budget: z.number().optional(), name: z.string().optional() });
  const message = meant === undefined ? "unknown field" : `unknown field; did you mean ${meant}?`;
  expect(wordsOf(schema, { [sent]: 1 })).toEqual([{ field: sent, message }]);
});
