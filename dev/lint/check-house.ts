// `npm run check:house`: checks the house rules that neither tsc nor Biome can check.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { bannedWords } from "./house/banned-words.ts";
import { filePointers } from "./house/file-pointers.ts";
import { folderCycles } from "./house/folder-cycles.ts";
import { npmScripts, pageLinks } from "./house/pages.ts";
import { type Repository, type Rule, repositoryOf } from "./house/repository.ts";
import { commentWidths, fileLengths, folderSizes } from "./house/sizes.ts";
import { testTitles } from "./house/test-titles.ts";

const RULES: Readonly<Record<string, Rule>> = {
  "folder-cycle": folderCycles,
  "folder-size": folderSizes,
  "file-length": fileLengths,
  "comment-width": commentWidths,
  "test-title": testTitles,
  "file-pointer": filePointers,
  "page-link": pageLinks,
  "npm-script": npmScripts,
  "banned-word": bannedWords,
};

/** Rules that are off: their findings are counted, but not shown, and do not fail the check. */
const OFF: readonly string[] = [];

/** Every file that git tracks or would track, so that a new file is checked before its first commit. */
function readRepository(): Repository {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
  });
  const paths = listed.split("\0").filter((path) => path !== "" && existsSync(path));
  return repositoryOf(new Map(paths.map((path) => [path, readFileSync(path, "utf8")])));
}

function check(): number {
  const repository = readRepository();
  let total = 0;
  for (const [name, rule] of Object.entries(RULES)) {
    const findings = rule(repository);
    if (OFF.includes(name)) {
      console.log(`${name} is off: ${findings.length} findings`);
      continue;
    }
    for (const { path, line, message } of findings) console.error(`${path}:${line} ${name} ${message}`);
    if (findings.length > 0) console.error(`${name}: ${findings.length} findings`);
    total += findings.length;
  }
  return total === 0 ? 0 : 1;
}

readCommandLine(
  defineCommand({
    name: "npm run check:house --",
    description: "Checks the house rules that neither tsc nor Biome can check, on every file that git tracks.",
    exitCodes: { 0: "no findings", 1: "there are findings" },
  }),
);

process.exitCode = check();
