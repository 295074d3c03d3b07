// Vitest's JSON report of a run, as much of it as the story's table needs. Reads only.

import { relative } from "node:path";

export interface TestOutcome {
  /** As the table names it: from the root of the repository. */
  readonly file: string;
  /** Its own title, and those of the blocks around it. */
  readonly titles: readonly string[];
  /** `passed`, or what else vitest says: failed, skipped, pending, todo. */
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

/** `root` is the directory that vitest ran in. */
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
