// Every file that a comment or a page names must exist.

import { matchesGlob, posix } from "node:path";
import type { Files, Finding, Repository } from "./repository.ts";

/** Output of a build or a run, which git ignores. */
const GENERATED = /^(?:dist|coverage|\.wrangler|node_modules)(?:\/|$)|^bench\/results\.json$/;
/** Files outside this repository, and names that only look like files. */
const NOT_OURS = new Set([
  "config.yaml", // LiteLLM's
  "worker.js", // the build output of src/worker.ts
  "Node.js",
]);

const FILE = /[\w.@/{},*<>$-]*[\w}*>-]\.(?:tsx?|m?js|md|toml|sql|sh|grit|json|svg|py|ya?ml|css|html)(?![\w.]*\w)/g;

export function filePointers({ files, prose }: Repository): Finding[] {
  const folders = foldersOf(files);
  const tops = [...folders].filter((folder) => !folder.includes("/")).map((top) => top.replace(".", "\\."));
  const folder = new RegExp(`(?<![\\w/.:@-])(?:${tops.join("|")})/[\\w.@/{},*<>$-]*`, "g");
  const exists = (pointer: string, path: string) => {
    const candidates = [pointer, `src/${pointer}`, posix.join(posix.dirname(path), pointer)];
    if (candidates.some((candidate) => files.has(candidate) || folders.has(candidate))) return true;
    if (/[*{]/.test(pointer)) return [...files.keys()].some((file) => matchesGlob(file, pointer));
    return [...files.keys()].some((file) => file.endsWith(`/${pointer}`));
  };
  return prose.flatMap(({ path, line, text }) =>
    pointersOf(text, folder)
      .filter((pointer) => !exists(pointer, path))
      .map((pointer) => ({ path, line, message: `there is no ${pointer}` })),
  );
}

function foldersOf(files: Files): Set<string> {
  const folders = new Set<string>();
  for (const file of files.keys()) {
    for (let folder = posix.dirname(file); folder !== "."; folder = posix.dirname(folder)) folders.add(folder);
  }
  return folders;
}

/** Ignores URLs, names with placeholders, and the targets of links, which have their own rule. */
function pointersOf(text: string, folder: RegExp): string[] {
  const plain = text.replace(/\w+:\/\/\S+|\]\([^)]*\)/g, " ");
  const found = [...plain.matchAll(FILE), ...plain.matchAll(folder)].map(([match]) =>
    match.replace(/^\/|[./,}]+$/g, ""),
  );
  return [...new Set(found)].filter((name) => !(/[<>$]/.test(name) || GENERATED.test(name) || NOT_OURS.has(name)));
}
