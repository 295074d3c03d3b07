// Links and anchors in pages must have a target, and npm commands in prose must exist in package.json.

import { posix } from "node:path";
import { type Finding, isPage, type Prose, type Repository } from "./repository.ts";

const LINK = /\]\(([^)\s]+)[^)]*\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)="([^"]+)"/g;

export function pageLinks(repository: Repository): Finding[] {
  const pages = repository.prose.filter(({ path }) => isPage(path));
  return pages.flatMap(({ path, line, text }) =>
    [...text.matchAll(LINK)].flatMap(([, inline, reference, html]) => {
      const link = inline ?? reference ?? html ?? "";
      const problem = /^\w+:/.test(link) ? null : linkProblem(link, path, repository);
      return problem === null ? [] : [{ path, line, message: problem }];
    }),
  );
}

function linkProblem(link: string, path: string, { files, prose }: Repository): string | null {
  const [to = "", anchor] = link.split("#");
  const target = to === "" ? path : posix.join(posix.dirname(path), to).replace(/\/$/, "");
  if (!files.has(target)) {
    const isFolder = [...files.keys()].some((file) => file.startsWith(`${target}/`));
    return isFolder ? null : `the link ${link} has no target`;
  }
  if (anchor === undefined || !target.endsWith(".md")) return null;
  return anchorsOf(prose.filter((each) => each.path === target)).has(anchor)
    ? null
    : `${target} has no heading #${anchor}`;
}

/** The anchors that GitHub generates. A second heading with the same text gets the suffix -1. */
function anchorsOf(page: readonly Prose[]): Set<string> {
  const anchors = new Set<string>();
  for (const { text: line } of page) {
    for (const [, id] of line.matchAll(/\b(?:id|name)="([^"]+)"/g)) anchors.add(id ?? "");
    const heading = /^#{1,6}\s+(.*?)\s*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = words.replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
    let anchor = slug;
    for (let again = 1; anchors.has(anchor); again++) anchor = `${slug}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}

export function npmScripts({ files, prose }: Repository): Finding[] {
  const { scripts } = JSON.parse(files.get("package.json") ?? "{}") as { scripts?: Record<string, string> };
  return prose.flatMap(({ path, line, text }) =>
    [...text.matchAll(/\bnpm run (?:-\S+ )*([a-z][\w:-]*)/g)]
      .map(([, script = ""]) => script)
      .filter((script) => scripts?.[script] === undefined)
      .map((script) => ({ path, line, message: `package.json has no script ${script}` })),
  );
}
