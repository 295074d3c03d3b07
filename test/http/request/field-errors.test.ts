// Every field × every mistake: the bodies and queries of all routes are found by their exports, and the mistakes are
// made from their schemas, so that a new field cannot be forgotten. No message may be zod's own.

import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { fieldErrors, IN_OUR_WORDS } from "../../../src/http/request/field-errors.ts";

const SOURCES = new URL("../../../src/http/", import.meta.url);
const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

/** LiteLLM's reports are taken as LiteLLM sends them. */
const isOfReports = (file: string) => /litellm.(?:guard|events?|webhooks)/.test(file);

const exported = await Promise.all(
  files
    .filter((file) => !isOfReports(file))
    .map(async (file) => Object.entries(await import(new URL(file, SOURCES).href))),
);

const SCHEMAS = exported
  .flat()
  .flatMap(([name, value]) =>
    /(?:Body|Query)$/.test(name) && value instanceof z.ZodType ? [[name, value] as const] : [],
  );

type Shape = Readonly<Record<string, z.ZodType>>;

/** The objects that a schema accepts: several for a union, such as the kinds of channels. */
function shapesOf(schema: z.ZodType): Shape[] {
  if (schema instanceof z.ZodObject) return [schema.shape as Shape];
  if (schema instanceof z.ZodDiscriminatedUnion) return (schema.options as z.ZodType[]).flatMap(shapesOf);
  if (schema instanceof z.ZodPipe) return shapesOf(schema.in as z.ZodType);
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return shapesOf(schema.unwrap() as z.ZodType);
  }
  return [];
}

const kindOf = (shape: Shape) => (shape["kind"] instanceof z.ZodLiteral ? { kind: shape["kind"].value } : {});

/** Of every type, and beyond every range. A field refuses those that it does not accept. */
const WRONG = [
  null,
  true,
  7,
  -1,
  0.1234567891,
  1e300,
  "",
  "  ",
  "zzz",
  "\u0000",
  "two\nlines",
  "x".repeat(5_000),
  "sk-by-mistake",
  [],
  [7],
  ["zzz"],
  Array(300).fill("a@example.com"),
  {},
  { zzz: 1 },
  { message: 7, contact_url: 7, amounts: 7 },
  { "": "x" },
];

/** Zod's own words, in any version of it. */
const ZODS = /invalid|expected|\breceived|too (?:small|big)|unrecognized|pattern|>=|<=|zod|nan\b/i;

const errorsOf = async (schema: z.ZodType, value: unknown) => {
  const parsed = await schema.safeParseAsync(value, IN_OUR_WORDS);
  return parsed.success ? [] : fieldErrors(parsed.error, schema, value);
};

const inField = (name: string) => (error: { field: string }) =>
  error.field === name || error.field.startsWith(`${name}.`);

it("finds the schemas of all bodies and queries", () => {
  expect(SCHEMAS.map(([name]) => name).sort()).toEqual([
    "alertListQuery",
    "allAlertsQuery",
    "auditQuery",
    "channelChangeBody",
    "channelListQuery",
    "deadLetterListQuery",
    "emptyQuery",
    "keyListQuery",
    "newChannelBody",
    "newKeyBody",
    "newOverrideBody",
    "newTenantBody",
    "overrideListQuery",
    "reasonBody",
    "setupQuery",
    "tenantChangeBody",
    "tenantListQuery",
  ]);
});

describe.each(SCHEMAS)("%s", (_, schema) => {
  const shapes = shapesOf(schema);

  it("says of each field what is wrong with each value that it refuses", async () => {
    expect(shapes).not.toEqual([]);
    for (const shape of shapes) {
      for (const [field, fieldSchema] of Object.entries(shape)) {
        for (const value of WRONG) {
          if ((await fieldSchema.safeParseAsync(value)).success) continue;
          const errors = (await errorsOf(schema, { ...kindOf(shape), [field]: value })).filter(inField(field));
          expect([field, value, errors.length > 0]).toEqual([field, value, true]);
          for (const { message } of errors) {
            expect([field, value, message]).toEqual([field, value, expect.not.stringMatching(ZODS)]);
            expect(message).toMatch(/^(?:must |unknown field)/);
          }
        }
      }
    }
  });

  it("says of each required field that it must be sent", async () => {
    for (const shape of shapes) {
      const required = Object.keys(shape).filter((field) => !shape[field]?.safeParse(undefined).success);
      const errors = await errorsOf(schema, kindOf(shape));
      for (const field of required.filter((name) => !(name in kindOf(shape)))) {
        expect(errors).toContainEqual({ field, message: "must be sent" });
      }
    }
  });

  it("refuses an unknown field, and names the known one that it resembles", async () => {
    for (const shape of shapes) {
      const kind = kindOf(shape);
      expect(await errorsOf(schema, { ...kind, zzzzzz: 1 })).toContainEqual({
        field: "zzzzzz",
        message: "unknown field",
      });
      for (const field of Object.keys(shape).filter((name) => name.length > 4)) {
        const misspelt = `${field.slice(0, -2)}${field.slice(-1)}`;
        if (misspelt in shape) continue;
        expect(await errorsOf(schema, { ...kind, [misspelt]: 1 })).toContainEqual({
          field: misspelt,
          message: `unknown field; did you mean ${field}?`,
        });
      }
    }
  });

  it.each([[[]], [null], [7], ["text"], [true]])("says that %j is no JSON object", async (value) => {
    expect(await errorsOf(schema, value)).toEqual([
      {
        field: "",
        message: expect.stringMatching(
          /^The body must be a JSON object, not (?:an array|null|a number|a string|true or false)$/,
        ),
      },
    ]);
  });
});

it("names a field inside another one by its path", async () => {
  const schema = z.strictObject({ refusal: z.strictObject({ message: z.string() }).nullable() });
  expect(await errorsOf(schema, { refusal: { mesage: "x" } })).toEqual([
    { field: "refusal.message", message: "must be sent" },
    { field: "refusal.mesage", message: "unknown field; did you mean message?" },
  ]);
});
