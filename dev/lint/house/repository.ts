// The input of the house rules: all files with their text, and the prose in them. The rules read nothing from disk.

import { extname } from "node:path";
import { parseSync } from "oxc-parser";

/** Every file of the repository by its path from the root, such as `src/app.ts`. */
export type Files = ReadonlyMap<string, string>;

export interface Finding {
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
}

/** One line of a comment or of a page. */
export interface Prose {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

export interface Repository {
  readonly files: Files;
  readonly prose: readonly Prose[];
}

export type Rule = (repository: Repository) => Finding[];

export const repositoryOf = (files: Files): Repository => ({ files, prose: proseOf(files) });

export const isCode = (path: string) => /\.(?:tsx?|m?js)$/.test(path) && !path.endsWith(".d.ts");
export const isPage = (path: string) => /^(?:README|CHANGELOG)\.md$|^docs\/.*\.md$/.test(path);
export const isUnder = (roots: readonly string[]) => (path: string) =>
  roots.some((root) => path.startsWith(`${root}/`));

export const lineAt = (text: string, offset: number) => text.slice(0, offset).split("\n").length;

/** Comment patterns of other languages. A comment starts a line or follows whitespace. */
const COMMENT_MARKS: Readonly<Record<string, RegExp>> = {
  ".toml": /(?:^|\s)#(.*)/,
  ".py": /(?:^|\s)#(.*)/,
  ".sh": /(?:^|\s)#(.*)/,
  ".sql": /(?:^|\s)--(.*)/,
  ".grit": /(?:^|\s)\/\/(.*)/,
  "": /^\s*#(.*)/,
};

/** Every line of every comment and page. Of fenced blocks only those with code or commands; the others are output. */
function proseOf(files: Files): Prose[] {
  return [...files].flatMap(([path, text]) => {
    if (isPage(path)) return pageLines(path, text);
    if (isCode(path)) return commentLines(path, text);
    const mark = COMMENT_MARKS[extname(path)];
    if (mark === undefined) return [];
    return text.split("\n").map((line, index) => ({ path, line: index + 1, text: mark.exec(line)?.[1] ?? "" }));
  });
}

function commentLines(path: string, text: string): Prose[] {
  return parseSync(path, text).comments.flatMap((comment) => {
    const first = lineAt(text, comment.start);
    return comment.value.split("\n").map((line, index) => ({ path, line: first + index, text: line }));
  });
}

function pageLines(path: string, text: string): Prose[] {
  let fence: string | null = null;
  return text.split("\n").flatMap((line, index) => {
    const mark = /^\s*(?:```|~~~)(\w*)/.exec(line);
    if (mark !== null) fence = fence === null ? (mark[1] ?? "") : null;
    const isOutput = fence !== null && !/^(?:sh|bash|ts|toml)$/.test(fence);
    return mark !== null || isOutput ? [] : [{ path, line: index + 1, text: line }];
  });
}
