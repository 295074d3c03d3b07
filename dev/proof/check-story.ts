// `npm run check:story`: checks that tests of the last `npm test` prove every row of the story in docs/testing.md.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { notYet, STORY_IDS, storyProblems } from "./judge-story.ts";
import { rowsOf } from "./story-table.ts";
import { outcomesOf } from "./test-report.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const TABLE = "docs/testing.md";
/** `npm test` writes it. */
const REPORT = ".wrangler/test-report.json";

function textOf(file: string): string | null {
  const path = join(ROOT, file);
  return existsSync(path) && statSync(path).isFile() ? readFileSync(path, "utf8") : null;
}

function check(): number {
  const [table, report] = [textOf(TABLE), textOf(REPORT)];
  if (table === null || report === null) {
    console.error(`there is no ${table === null ? TABLE : `${REPORT}: run npm test first`}`);
    return 1;
  }
  const evidence = { rows: rowsOf(table), outcomes: outcomesOf(report, ROOT), textOf };
  const problems = storyProblems(evidence);
  for (const problem of problems) console.error(problem);
  const open = notYet(evidence.rows);
  const ranAt = statSync(join(ROOT, REPORT)).mtime.toISOString();
  const claimed = STORY_IDS.length - open.length;
  console.log(`${claimed} of ${STORY_IDS.length} rows are claimed, ${problems.length} problems in the run of ${ranAt}`);
  if (open.length > 0) console.log(`not yet: ${open.join(", ")}`);
  return problems.length === 0 ? 0 : 1;
}

readCommandLine(
  defineCommand({
    name: "npm run check:story --",
    description: `Checks that the tests which ${TABLE} names for each row ran and passed in the last npm test.`,
    exitCodes: { 0: "every test passed", 1: "a test is missing or failed, or there is no report" },
  }),
);

process.exitCode = check();
