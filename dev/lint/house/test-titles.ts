// A test title must be a sentence that makes sense alone in a search result, not the rest of a describe's sentence.

import { type Expression, parseSync, Visitor } from "oxc-parser";
import { type Finding, isCode, lineAt, type Repository } from "./repository.ts";

const BEGINNINGS = /^(?:of|that|whose|who|with|is|by|in|to|for|and)\b/i;
/** The prefix for the rows of docs/testing.md that a test proves, such as `N6: ` or `X3, X4: `. */
const ROW = /^[A-Z]\d+(?:, [A-Z]\d+)*: /;
/** A quick test that skips parsing files without such a title; parsing them all would take a second. */
const CANDIDATE = new RegExp(`["'\`](?:[A-Z]\\d+(?:, [A-Z]\\d+)*: )?${BEGINNINGS.source.slice(1)}`, "i");

export function testTitles({ files }: Repository): Finding[] {
  return [...files].flatMap(([path, text]) => {
    if (!path.startsWith("test/") || !isCode(path) || !CANDIDATE.test(text)) return [];
    return titlesOf(path, text).flatMap(({ title, offset }) => {
      const word = BEGINNINGS.exec(title.replace(ROW, ""))?.[0];
      if (word === undefined) return [];
      return [{ path, line: lineAt(text, offset), message: `a title begins with "${word}": ${title}` }];
    });
  });
}

function titlesOf(path: string, text: string): { title: string; offset: number }[] {
  const titles: { title: string; offset: number }[] = [];
  new Visitor({
    CallExpression({ callee, arguments: [first] }) {
      if (first === undefined || !isTest(callee)) return;
      if (first.type === "Literal" && typeof first.value === "string") {
        titles.push({ title: first.value, offset: first.start });
      } else if (first.type === "TemplateLiteral") {
        titles.push({ title: text.slice(first.start + 1, first.end - 1), offset: first.start });
      }
    },
  }).visit(parseSync(path, text).program);
  return titles;
}

/** Matches `it`, `test`, and calls of their methods, such as `it.each(…)` and `it.skipIf(…)`. */
function isTest(callee: Expression): boolean {
  if (callee.type === "Identifier") return callee.name === "it" || callee.name === "test";
  if (callee.type === "MemberExpression") return isTest(callee.object);
  return callee.type === "CallExpression" && isTest(callee.callee);
}
