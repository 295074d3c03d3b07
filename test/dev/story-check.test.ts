// The check of the story's table fails for each kind of invalid claim.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { notYet, STORY_IDS, storyProblems } from "../../dev/proof/judge-story.ts";
import { rowsOf } from "../../dev/proof/story-table.ts";
import { outcomesOf, type TestOutcome } from "../../dev/proof/test-report.ts";

const FILE = "test/a.test.ts";

/** The story's table with the given claims, and no others. */
function tableOf(shownBy: Readonly<Record<string, string>>): string {
  return STORY_IDS.map((id) => `| ${id} | holds | ${shownBy[id] ?? "not yet"} |`).join("\n");
}

const shown = (title: string, file = FILE) => `\`${file}\` "${title}"`;

function aTest(title: string, differences: Partial<TestOutcome> = {}): TestOutcome {
  return { file: FILE, titles: [title], status: "passed", ...differences };
}

function problemsOf(shownBy: Readonly<Record<string, string>>, outcomes: readonly TestOutcome[], files = {}) {
  const texts: Readonly<Record<string, string>> = files;
  return storyProblems({ rows: rowsOf(tableOf(shownBy)), outcomes, textOf: (file) => texts[file] ?? null });
}

describe("a claim", () => {
  it("accepts a row with a passed test of its title", () => {
    expect(problemsOf({ N1: shown("N1: once") }, [aTest("N1: once")])).toEqual([]);
  });

  it("accepts a row shown by a block of tests, and by a test of two rows", () => {
    const outcomes = [aTest("says so", { titles: ["E4: a forged one", "says so"] }), aTest("X3, X4: the lines")];
    const claims = { E4: shown("E4: a forged one"), X3: shown("X3, X4: the lines"), X4: shown("X3, X4: the lines") };
    expect(problemsOf(claims, outcomes)).toEqual([]);
  });

  it("accepts a row of speed shown by a bench case, and a row of the tests by a file", () => {
    const claims = { P1: shown("fast", "bench/cases/a.ts"), T3: shown("this table", "docs/a.md") };
    const files = { "bench/cases/a.ts": "it is fast", "docs/a.md": "this table" };
    expect(problemsOf(claims, [], files)).toEqual([]);
  });

  it("reports a row that is not built yet without failing", () => {
    const open = notYet(rowsOf(tableOf({ N1: shown("N1: once") })));
    expect([open.includes("N1"), open.length]).toEqual([false, STORY_IDS.length - 1]);
    expect(problemsOf({}, [aTest("a test of no row")])).toEqual([]);
  });
});

describe("the check", () => {
  it("refuses a claim without a test", () => {
    expect(problemsOf({ N1: "" }, [])).toEqual(["N1: claimed, and no test is named"]);
    expect(problemsOf({ N1: shown("it holds", "docs/a.md") }, [], { "docs/a.md": "it holds" })).toEqual([
      "N1: claimed, and no test is named",
    ]);
    expect(problemsOf({ P1: shown("P1: fast") }, [aTest("P1: fast")])).toEqual([
      "P1: claimed, and no case of the bench is named",
    ]);
  });

  it.each(["failed", "skipped", "pending", "todo"])("refuses a test that %s", (status) => {
    expect(problemsOf({ N1: shown("N1: once") }, [aTest("N1: once", { status })])).toEqual([
      `N1: test/a.test.ts "N1: once" ${status}`,
    ]);
  });

  it("refuses a row with a failed test, though the table names another one", () => {
    const outcomes = [aTest("N1: once"), aTest("N1: again", { file: "test/b.test.ts", status: "failed" })];
    expect(problemsOf({ N1: shown("N1: once") }, outcomes)).toEqual(['N1: test/b.test.ts "N1: again" failed']);
  });

  it("refuses an unclaimed row that has tests, passed or not", () => {
    const outcomes = [aTest("says so", { titles: ["R4: a page", "says so"] }), aTest("R4: live", { status: "failed" })];
    expect(problemsOf({}, outcomes)).toEqual([
      'R4: not claimed, and tested by test/a.test.ts "R4: a page > says so"',
      'R4: not claimed, and tested by test/a.test.ts "R4: live"',
    ]);
  });

  it("refuses a title that no test has, or one in another file", () => {
    const missing = ['N1: test/a.test.ts has no test "N1: once"'];
    expect(problemsOf({ N1: shown("N1: once") }, [aTest("N1: twice")])).toEqual(missing);
    expect(problemsOf({ N1: shown("N1: once") }, [aTest("N1: once", { file: "test/b.test.ts" })])).toEqual(missing);
  });

  it("refuses a title that does not name its row", () => {
    const claims = { N1: shown("N2: once"), N2: shown("N2: once") };
    expect(problemsOf(claims, [aTest("N2: once")])).toEqual(['N1: the title "N2: once" does not begin with "N1: "']);
  });

  it("refuses a test of a row that does not exist", () => {
    expect(problemsOf({}, [aTest("N8: more")])).toEqual(["test/a.test.ts: there is no row N8 to test"]);
  });

  it("refuses a file that does not exist, or does not say it", () => {
    const claims = { T1: shown("100", "a.ts"), T2: shown("one command", "b.sh") };
    expect(problemsOf(claims, [], { "b.sh": "two" })).toEqual([
      "T1: there is no a.ts",
      'T2: b.sh does not say "one command"',
    ]);
  });

  it("refuses a table with a row too few, too many or twice", () => {
    const table = tableOf({}).replace("| M1 |", "| M9 |").replace("| M3 |", "| M2 |");
    expect(storyProblems({ rows: rowsOf(table), outcomes: [], textOf: () => null })).toEqual([
      "M1: the table has no such row",
      "M3: the table has no such row",
      "M9: the story has no such row",
      "M2: the table has it twice",
    ]);
  });

  it("refuses a cell that is neither a proof nor `not yet`", () => {
    expect(() => rowsOf("| N1 | holds | soon |")).toThrow('N1: neither "not yet" nor a proof: soon');
    expect(() => rowsOf("| N1 | holds |")).toThrow("not a row of three cells: | N1 | holds |");
  });
});

it("reads titles, files and outcomes from the report of vitest", () => {
  const assertion = { ancestorTitles: ["a block"], title: "N1: once", status: "passed" };
  const report = JSON.stringify({ testResults: [{ name: "/root/test/a.test.ts", assertionResults: [assertion] }] });
  expect(outcomesOf(report, "/root")).toEqual([{ file: FILE, titles: ["a block", "N1: once"], status: "passed" }]);
});

it("T3: docs/testing.md has the story's table, whole", () => {
  const ids = rowsOf(readFileSync("docs/testing.md", "utf8")).map(({ id }) => id);
  expect(ids).toEqual(STORY_IDS);
});
