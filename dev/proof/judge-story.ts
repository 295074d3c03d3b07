// Decides whether tests that ran and passed prove the claims of the story's table. Reads no files itself.

import type { Proof, StoryRow } from "./story-table.ts";
import type { TestOutcome } from "./test-report.ts";

/** The number of story rows per letter. */
const STORY = { M: 4, N: 7, W: 5, E: 6, X: 7, P: 4, R: 4, T: 3 } as const;

export const STORY_IDS: readonly string[] = Object.entries(STORY).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
);

/** Rows about the tests and documents themselves, which no single test can prove. */
const SHOWN_BY_FILES = /^T/;

/** The bench measures speed; it fails by itself when a case does not run. */
const SHOWN_BY_BENCH = /^P/;

const BENCH_CASES = "bench/cases/";
const TESTS = "test/";

export interface Evidence {
  readonly rows: readonly StoryRow[];
  readonly outcomes: readonly TestOutcome[];
  /** The text of a file, by its path from the repository's root; null when the file does not exist. */
  readonly textOf: (file: string) => string | null;
}

/** The problems, one line each; empty when every claim is proven. */
export function storyProblems({ rows, outcomes, textOf }: Evidence): string[] {
  return [
    ...tableProblems(rows),
    ...outcomes.flatMap(({ file, titles }) =>
      titles.flatMap(idsOf).flatMap((id) => (STORY_IDS.includes(id) ? [] : [`${file}: there is no row ${id} to test`])),
    ),
    ...rows.flatMap((row) =>
      row.proofs === null ? openRowProblems(row, outcomes) : rowProblems(row, row.proofs, outcomes, textOf),
    ),
  ];
}

/** The rows without a claim. */
export function notYet(rows: readonly StoryRow[]): string[] {
  return rows.filter(({ proofs }) => proofs === null).map(({ id }) => id);
}

function tableProblems(rows: readonly StoryRow[]): string[] {
  const ids = rows.map(({ id }) => id);
  return [
    ...STORY_IDS.filter((id) => !ids.includes(id)).map((id) => `${id}: the table has no such row`),
    ...ids.filter((id) => !STORY_IDS.includes(id)).map((id) => `${id}: the story has no such row`),
    ...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `${id}: the table has it twice`),
  ];
}

/** A row with tests must be claimed; otherwise its tests could fail or disappear unnoticed. */
function openRowProblems({ id }: StoryRow, outcomes: readonly TestOutcome[]): string[] {
  return testsOf(id, outcomes).map((test) => `${id}: not claimed, and tested by ${named(test)}`);
}

function rowProblems(
  { id }: StoryRow,
  proofs: readonly Proof[],
  outcomes: readonly TestOutcome[],
  textOf: Evidence["textOf"],
): string[] {
  const failed = testsOf(id, outcomes)
    .filter(({ status }) => status !== "passed")
    .map((test) => `${id}: ${named(test)} ${test.status}`);
  return [
    ...(proofs.some(({ file }) => showsRow(id, file)) ? [] : [`${id}: claimed, and no ${needOf(id)} is named`]),
    ...failed,
    ...proofs.flatMap((proof) =>
      proof.file.startsWith(TESTS) ? testProblems(id, proof, outcomes) : fileProblems(id, proof, textOf),
    ),
  ];
}

function showsRow(id: string, file: string): boolean {
  if (SHOWN_BY_FILES.test(id)) return true;
  return file.startsWith(SHOWN_BY_BENCH.test(id) ? BENCH_CASES : TESTS);
}

function needOf(id: string): string {
  if (SHOWN_BY_FILES.test(id)) return "file";
  return SHOWN_BY_BENCH.test(id) ? "case of the bench" : "test";
}

function testProblems(id: string, { file, title }: Proof, outcomes: readonly TestOutcome[]): string[] {
  const hasTest = outcomes.some((test) => test.file === file && test.titles.includes(title));
  if (!hasTest) return [`${id}: ${file} has no test "${title}"`];
  return idsOf(title).includes(id) ? [] : [`${id}: the title "${title}" does not begin with "${id}: "`];
}

function fileProblems(id: string, { file, title }: Proof, textOf: Evidence["textOf"]): string[] {
  const text = textOf(file);
  if (text === null) return [`${id}: there is no ${file}`];
  return text.includes(title) ? [] : [`${id}: ${file} does not say "${title}"`];
}

/** The rows that a title names: `X3, X4: …` names both. */
function idsOf(title: string): string[] {
  return /^([A-Z]\d+(?:, [A-Z]\d+)*): /.exec(title)?.[1]?.split(", ") ?? [];
}

function testsOf(id: string, outcomes: readonly TestOutcome[]): TestOutcome[] {
  return outcomes.filter(({ titles }) => titles.flatMap(idsOf).includes(id));
}

function named({ file, titles }: TestOutcome): string {
  return `${file} "${titles.join(" > ")}"`;
}
