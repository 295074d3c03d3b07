// The reader that splits a body into elements: the same elements as JSON.parse for any chunks, without prompts.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type JsonElement, ShallowJsonReader } from "../../../src/http/litellm/shallow-json.ts";
import { bytes, CAPTURES } from "./endpoints.ts";

interface Read {
  readonly elements: JsonElement[];
  readonly failure: string | null;
}

function read(chunks: Iterable<Uint8Array>): Read {
  const reader = new ShallowJsonReader();
  const elements: JsonElement[] = [];
  for (const chunk of chunks) elements.push(...reader.write(chunk));
  const end = reader.end();
  return { elements: [...elements, ...end.elements], failure: end.failure };
}

const readText = (text: string) => read([bytes(text)]);
const whole = (...values: unknown[]): Read => ({
  elements: values.map((value) => ({ kind: "value", value })),
  failure: null,
});

function chunksOf(body: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(body.length / size);
  return Array.from({ length: count }, (_, index) => body.subarray(index * size, (index + 1) * size));
}

/** The part of a value that the reader keeps: two levels, and no lists. */
function shallow(value: unknown, levels = 2): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return [];
  if (levels === 0) return {};
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shallow(item, levels - 1)]));
}

describe("the elements", () => {
  it.each<[string, string, unknown[]]>([
    ["of an array", '[{"a":1},{"b":"x"}]', [{ a: 1 }, { b: "x" }]],
    ["of an empty array", " [ \n] ", []],
    ["of lines", '{"a":1}\n{"b":2}\r\n\n{"c":3}\n', [{ a: 1 }, { b: 2 }, { c: 3 }]],
    ["of one line without an end", '{"a":1}', [{ a: 1 }]],
    ["of any kind", '[1, -2.5e3 ,"x,]",null,true,[],{}]', [1, -2500, "x,]", null, true, [], {}]],
    ["of a body that is one number", "12", [12]],
    ["of a body that is one text", '"a\\"b"', ['a"b']],
    ["after a byte order mark", '\ufeff[{"a":1}]', [{ a: 1 }]],
    [
      "with brackets, quotes and slashes in their texts",
      '[{"a":"}],[{\\"\\\\"},{"b":"\\\\\\""}]',
      [{ a: '}],[{"\\' }, { b: '\\"' }],
    ],
    ["two levels deep", '[{"a":{"b":1,"c":{"d":2},"e":[3]},"f":7}]', [{ a: { b: 1, c: {}, e: [] }, f: 7 }]],
    [
      "without their lists",
      '[{"a":[1,[2],{"b":3}],"c":{"d":[[4]],"e":5}},[6],7]',
      [{ a: [], c: { d: [], e: 5 } }, [], 7],
    ],
  ])("%s", (_, text, values) => {
    expect(readText(text)).toEqual(whole(...values));
  });

  it("matches JSON.parse to two levels, wherever the chunks end", () => {
    const values = fc.array(fc.jsonValue({ stringUnit: "binary" }), { maxLength: 5 });
    fc.assert(
      fc.property(values, fc.boolean(), fc.nat(3), fc.integer({ min: 1, max: 9 }), (list, isLines, space, size) => {
        const texts = list.map((value) => JSON.stringify(value, null, isLines ? 0 : space));
        fc.pre(!isLines || (texts.length > 0 && !texts[0]?.startsWith("[")));
        const body = bytes(isLines ? texts.join("\n") : `[${texts.join(" , ")}]`);
        const expected = texts.map((text) => shallow(JSON.parse(text)));
        expect(read(chunksOf(body, size))).toEqual(whole(...expected));
      }),
      { numRuns: 2_000 },
    );
  });

  it("returns the same elements wherever a body is split", () => {
    const body = bytes(JSON.stringify([...CAPTURES.events, { ä: "\u{1f600}" }, 7]));
    const expected = read([body]);
    expect(expected).toEqual(whole(...CAPTURES.events.map((event) => shallow(event)), { ä: "\u{1f600}" }, 7));
    for (let at = 0; at <= body.length; at++) expect(read([body.subarray(0, at), body.subarray(at)])).toEqual(expected);
  });
});

describe("limits of an element", () => {
  it("keeps a text of 2,048 bytes, and empties longer texts and names", () => {
    const [fits, long] = ["x".repeat(2_048), "x".repeat(2_049)];
    const element = { fits, long, [long]: 1, after: 2 };
    const body = bytes(JSON.stringify([element, 3]));
    const expected = whole({ fits, long: "", "": 1, after: 2 }, 3);
    for (const size of [1, 100, 3_000, body.length]) expect(read(chunksOf(body, size))).toEqual(expected);
  });

  it("reports an element over 256 KiB as too large, and reads the next", () => {
    const names = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`n${index}`, "x".repeat(1_400)]));
    expect(readText(JSON.stringify([names, 1]))).toEqual({
      elements: [{ kind: "too_large" }, { kind: "value", value: 1 }],
      failure: null,
    });
  });

  it("reads a million brackets as one empty list", () => {
    expect(readText(`[{"a":${"[".repeat(1e6)}${"]".repeat(1e6)}}]`)).toEqual(whole({ a: [] }));
  });
});

describe("a malformed element", () => {
  it.each([
    ["a name without quotes", '{"a":1},{b:2},{"c":3}'],
    ["NaN", '{"a":1},{"b":NaN},{"c":3}'],
    ["a comma too many", '{"a":1},{"b":2,},{"c":3}'],
    ["the wrong bracket", '{"a":1},{"b":2],{"c":3}'],
    ["a word that is none", '{"a":1},nil,{"c":3}'],
    ["a brace in a word", '{"a":1},1},{"c":3}'],
    ["a tab in a text", '{"a":1},{"b":"\t"},{"c":3}'],
  ])("reads the other elements: %s", (_, elements) => {
    expect(readText(`[${elements}]`).elements).toEqual([
      { kind: "value", value: { a: 1 } },
      { kind: "not_json" },
      { kind: "value", value: { c: 3 } },
    ]);
  });

  it("reports invalid UTF-8", () => {
    const body = new Uint8Array([...bytes('[{"a":"'), 0xff, ...bytes('"},2]')]);
    expect(read([body]).elements).toEqual([{ kind: "not_json" }, { kind: "value", value: 2 }]);
  });
});

describe("a body", () => {
  it.each([
    ["that is empty", "", [], "the body is empty"],
    ["of spaces", " \n", [], "the body is empty"],
    ["that breaks off after the bracket", "[", [], "the body breaks off at byte 1"],
    ["that breaks off in an element", '[{"a":1},{"b":', [{ a: 1 }], "the body breaks off at byte 14"],
    ["that breaks off in a text", '[1,"ab', [1], "the body breaks off at byte 6"],
    ["that breaks off after an element", "[1", [], "the body breaks off at byte 2"],
    ["that breaks off after a comma", "[1,", [1], "the body breaks off at byte 3"],
    ["whose last line breaks off", '{"a":1}\n{"b"', [{ a: 1 }], "the body breaks off at byte 12"],
    ["whose last text breaks off", '"ab', [], "the body breaks off at byte 3"],
    ["with a comma before the end", "[1,]", [1], "unexpected character at byte 3"],
    ["with a comma at the beginning", "[,1]", [], "unexpected character at byte 1"],
    ["without a comma", "[1 2]", [1], "unexpected character at byte 3"],
    ["with more after it", "[1] 2", [1], "unexpected character at byte 4"],
    ["that begins with a colon", ":1", [], "unexpected character at byte 0"],
    ["of lines with commas", '{"a":1},\n{"b":2}', [{ a: 1 }], "unexpected character at byte 7"],
  ])("reports the position of the error: %s", (_, text, values, failure) => {
    const expected = { ...whole(...values), failure };
    expect(readText(text)).toEqual(expected);
    expect(read(chunksOf(bytes(text), 1))).toEqual(expected);
  });

  it("stops reading after a failure", () => {
    expect(readText('[1 2,{"a":1}]').elements).toEqual([{ kind: "value", value: 1 }]);
  });
});
