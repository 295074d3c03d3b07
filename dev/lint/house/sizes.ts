// Limits the number of files in a folder and the number of lines in a file.

import { posix } from "node:path";
import { type Finding, isUnder, type Repository } from "./repository.ts";

/** The limit applies to the folders below these. */
const FOLDER_ROOTS = ["src", "cli", "dev", "bench", "test/support"];
const MAX_FILES = 12;

const FILE_ROOTS = ["src", "cli", "dev", "bench", "test"];
const MAX_LINES = 300;

/** Biome wraps code at this width, but not comments. */
const MAX_COLUMNS = 120;

export function folderSizes({ files }: Repository): Finding[] {
  const folders = Map.groupBy([...files.keys()].filter(isUnder(FOLDER_ROOTS)), posix.dirname);
  return [...folders]
    .filter(([, { length }]) => length > MAX_FILES)
    .map(([path, { length }]) => ({ path, line: 1, message: `holds ${length} files, ${MAX_FILES} at most` }));
}

export function fileLengths({ files }: Repository): Finding[] {
  return [...files].flatMap(([path, text]) => {
    if (!isUnder(FILE_ROOTS)(path) || !/\.(?:tsx?|m?js|css)$/.test(path)) return [];
    const lines = text.replace(/\n$/, "").split("\n").length;
    return lines > MAX_LINES ? [{ path, line: lines, message: `has ${lines} lines, ${MAX_LINES} at most` }] : [];
  });
}

export function commentWidths({ files }: Repository): Finding[] {
  return [...files].flatMap(([path, text]) => {
    if (!isUnder(FILE_ROOTS)(path) || !/\.(?:tsx?|m?js)$/.test(path)) return [];
    return text.split("\n").flatMap((line, index) => {
      if (line.length <= MAX_COLUMNS || !/^\s*(?:\/\/|\/?\*)/.test(line)) return [];
      return [{ path, line: index + 1, message: `has ${line.length} columns, ${MAX_COLUMNS} at most` }];
    });
  });
}
