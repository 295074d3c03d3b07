// A test title is a sentence that can be read alone in a search result: it does not begin amid one.

import { type Expression, parseSync, Visitor } from "oxc-parser";
import { type Finding, isCode, lineAt, type Repository } from "./repository.ts";

const BEGINNINGS = /^(?:of|that|whose|who|with|is|by|in|to|for|and)\b/i;
/** The rows of docs/testing.md that a test shows, such as `N6: ` or `X3, X4: `. */
const ROW = /^[A-Z]\d+(?:, [A-Z]\d+)*: /;
/** Spares the files that cannot hold such a title the second that their trees take. */
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

/** `it`, `test`, and what is called on them: `it.each(…)`, `it.skipIf(…)`. */
function isTest(callee: Expression): boolean {
  if (callee.type === "Identifier") return callee.name === "it" || callee.name === "test";
  if (callee.type === "MemberExpression") return isTest(callee.object);
  return callee.type === "CallExpression" && isTest(callee.callee);
}
