// Parses the part of Vitest's JSON report that the story's table needs.

import { relative } from "node:path";

export interface TestOutcome {
  /** Path from the repository's root, as in the table. */
  readonly file: string;
  /** The titles of the enclosing `describe` blocks, then the test's own. */
  readonly titles: readonly string[];
  /** Vitest's status: passed, failed, skipped, pending or todo. */
  readonly status: string;
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly ancestorTitles: readonly string[];
      readonly status: string;
    }[];
  }[];
}

/** `root`: the directory in which Vitest ran. */
export function outcomesOf(json: string, root: string): TestOutcome[] {
  const { testResults } = JSON.parse(json) as Report;
  return testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ title, ancestorTitles, status }) => ({
      file: relative(root, name),
      titles: [...ancestorTitles, title],
      status,
    })),
  );
}
